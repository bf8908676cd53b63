"""From a job's dataset to the tensors that it trains and judges on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from api_schemas.catalog.call import Call
from api_schemas.catalog.datasets import BundledEntry, NamedDatasetEntry
from api_schemas.catalog.layers import InputShape
from api_schemas.datasets import Dataset, Upload
from api_schemas.encoding import encoding_of, inputs_of
from api_schemas.jobs import JobSpec
from api_schemas.plan import input_shape, output_width
from api_schemas.targets import feature_columns
from api_schemas.text import text_of
from training.build import build, evaluate
from training.data.parts import codes_of, split_dataset
from training.data.preparation import BadData, Description, Feature, Preparation, blocks, fit
from training.data.prepare_text import TextPreparation, prepare_text

__all__ = ["BadData", "Data", "Part", "prepare"]


@dataclass(frozen=True)
class Part:
    """Rows for one purpose."""

    x: Tensor  # (rows, inputs); of text int64 tokens (rows, context)
    y: Tensor  # (rows,): int64 classes, or scaled numbers of the same type as x; of text the next tokens, shaped as x;
    # x itself where the network learns its inputs
    targets: np.ndarray  # (rows,): int64 classes, or float64 numbers in their own units; of text (rows x context,); x
    # itself where the network learns its inputs

    def to(self, device: torch.device) -> Part:
        """The same rows, what the network sees of them on a device."""
        x = self.x.to(device)
        return Part(x, x if self.y is self.x else self.y.to(device), self.targets)


@dataclass(frozen=True)
class Data:
    """A dataset, prepared."""

    train: Part
    validation: Part
    test: Part
    preparation: Preparation | TextPreparation
    outputs: int
    """Width of the network's output."""

    @property
    def parts(self) -> tuple[Part, Part, Part]:
        """Rows that train, validate and test."""
        return self.train, self.validation, self.test

    @property
    def classes(self) -> list[str]:
        """Names of the classes; empty where the target is a number, and for text."""
        return [] if isinstance(self.preparation, TextPreparation) else self.preparation.description.classes

    @property
    def shape(self) -> InputShape:
        """What the network sees of a row."""
        return self.preparation.shape

    @property
    def inputs(self) -> int:
        """Width of the network's input."""
        return self.shape.width

    @property
    def class_counts(self) -> Tensor:
        """Training rows of each class (classes,); empty where the target is a number."""
        return self.train.y.bincount(minlength=len(self.classes)) if self.classes else torch.empty(0)


@dataclass(frozen=True)
class _Table:
    features: list[Feature]
    target: np.ndarray | None  # (rows,): int64 classes or float64; None where the network learns its inputs
    target_name: str | None
    classes: list[str]
    width: int
    """How many inputs its features become."""

    @property
    def rows(self) -> int:
        return len(self.features[0].values)


def prepare(spec: JobSpec, dataset: Dataset | None, arrays: dict[str, np.ndarray] | None) -> Data:
    """Load, split, fill in, encode and scale; whatever is fitted is fitted on the training rows alone.

    Args:
        spec: as `api_schemas.plan.make_plan` settled it.
        dataset: the upload that the spec names; None for a dataset named by name.
        arrays: the upload's columns, as `training.data.tables.inspect` made them.

    Raises:
        BadData: when the rows cannot be prepared.
    """
    if text_of(spec, dataset):
        return _text(spec, dataset, arrays)
    table = _upload(spec, dataset, arrays) if isinstance(spec.dataset, Upload) else _named(spec, spec.dataset)
    if table.target is not None and spec.loss is not None and spec.loss.counts:
        _refuse_no_counts(table.target)
    rows = split_dataset(spec.split, dataset, arrays, table.rows, table.target if table.classes else None)
    description = Description(
        columns=[],
        preprocessing=spec.preprocessing,
        target=table.target_name,
        classes=table.classes,
        array=input_shape(spec, dataset, table.width).array,
    )
    dtype = getattr(torch, spec.training.kept_in)
    with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is refused
        preparation = fit(table.features, table.target, description, rows.train)
        y = None if table.target is None else _learned(table, table.target, preparation, dtype)
        train, validation, test = (
            _part(table, preparation, y, part, dtype) for part in (rows.train, rows.validation, rows.test)
        )
    return Data(train, validation, test, preparation, output_width(spec, preparation.shape, len(table.classes)))


def _part(table: _Table, preparation: Preparation, y: Tensor | None, rows: np.ndarray, dtype: torch.dtype) -> Part:
    x = _inputs(table, preparation, rows, dtype)
    return Part(x, x, x.numpy()) if table.target is None or y is None else Part(x, y[rows], table.target[rows])


def _text(spec: JobSpec, dataset: Dataset | None, arrays: dict[str, np.ndarray] | None) -> Data:
    preparation, windows = prepare_text(spec, dataset, arrays)
    rows = [torch.from_numpy(part) for part in windows]
    train, validation, test = (Part(part[:, :-1], part[:, 1:], part[:, 1:].numpy().flatten()) for part in rows)
    return Data(train, validation, test, preparation, preparation.description.vocabulary)


def _refuse_no_counts(target: np.ndarray) -> None:
    wrong = target[(target < 0) | (target != np.round(target))]
    if len(wrong):
        raise BadData(f"the loss is for counts, whole numbers from 0 on, and the target holds {wrong[0]:g}; use mse")


def _learned(table: _Table, target: np.ndarray, preparation: Preparation, dtype: torch.dtype) -> Tensor:
    """What the network learns (rows,) of the target (rows,)."""
    if table.classes:
        return torch.from_numpy(target)
    y = torch.from_numpy(preparation.transform_target(target)).to(dtype)
    _refuse_infinite("targets", y)
    return y


def _inputs(table: _Table, preparation: Preparation, rows: np.ndarray, dtype: torch.dtype) -> Tensor:
    """The network's inputs (rows, inputs), some rows at a time: whole, their float64 would take twice the result."""
    made = torch.empty((len(rows), preparation.shape.width), dtype=dtype)
    for place in blocks(*made.shape):
        raw = {feature.name: feature.values[rows[place]] for feature in table.features}
        made[place] = torch.from_numpy(preparation.transform(raw))
        _refuse_infinite("features", made[place])
    return made


def _refuse_infinite(what: str, values: Tensor) -> None:
    if not torch.isfinite(values).all():
        precision = str(values.dtype).removeprefix("torch.")
        raise BadData(
            f"some {what} are too large to compute with in {precision}, before or after their preprocessing; "
            "rescale them in the file, or use another preprocessing"
        )


@cache
def _bundled(target: str) -> Any:
    """Read once by the process that trainers are forked from; nothing writes to it."""
    return evaluate(Call(target))


def _named(spec: JobSpec, entry: NamedDatasetEntry) -> _Table:
    if isinstance(entry, BundledEntry):
        bunch = _bundled(str(entry.target))
        names, x, y = list(bunch.feature_names), bunch.data, bunch.target
    else:
        x, y = build(entry)
        names = [f"x{place}" for place in range(1, x.shape[1] + 1)]
    features = [Feature(str(name), x[:, place]) for place, name in enumerate(names)]
    if spec.model.learns == "inputs":
        return _Table(features, None, None, [], x.shape[1])
    classify = entry.task == "classification"
    target = y.astype(np.int64 if classify else np.float64)
    return _Table(features, target, None, list(entry.classes) if classify else [], x.shape[1])


def _upload(spec: JobSpec, dataset: Dataset | None, arrays: dict[str, np.ndarray] | None) -> _Table:
    if dataset is None or arrays is None or spec.loss is None:
        raise ValueError("an upload needs its dataset, its arrays and the spec that make_plan settled")
    columns = feature_columns(dataset, spec.target)
    features = [
        Feature(
            column.name,
            arrays[column.name],
            tuple(column.stats.categories) if column.type == "category" else None,
            column.missing,
            column.stats.dates,
            encoding_of(column, spec.preprocessing).name,
        )
        for column in columns
    ]
    width = sum(inputs_of(column, spec.preprocessing) for column in columns)
    if spec.model.learns == "inputs":
        return _Table(features, None, None, [], width)
    target = next(column for column in dataset.columns if column.name == spec.target)
    values = arrays[target.name]
    if spec.loss.task == "regression":
        return _Table(features, values, target.name, [], width)
    return _Table(features, codes_of(target, values), target.name, target.stats.categories, width)
