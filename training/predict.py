"""From a model's file and raw rows to predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from api_schemas.catalog.models import Autoencoder
from api_schemas.errors import Fault, InvalidRequest
from api_schemas.jobs import JobSpec
from api_schemas.nearest import nearest
from api_schemas.plan import output_width
from training.build import build_loss, build_model
from training.data import cells
from training.data.preparation import Preparation, PreparedColumn
from training.data.prepare_text import TextPreparation
from training.data.undo import Cell, raw_columns
from training.evaluation import scores
from training.model_file import StoredModel, load_model

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Predictions:
    """What a model says of some rows."""

    predictions: list[str] | list[float | None]
    """The likeliest class of each row by name, or a number in the target's own units; None where a target's
    preprocessing leads back to no number. Of an autoencoder the error of each row: the mean square, over its inputs as
    they are prepared, of what it missed."""
    probabilities: dict[str, list[float]]
    """Of each class by name, for each row; empty where a number is predicted. A loss that gives none, such as a hinge,
    has numbers in the same order instead."""
    codes: list[list[float]] = field(default_factory=list[list[float]])
    """What an autoencoder makes of each row; empty for other networks."""
    reconstructions: dict[str, list[Cell]] = field(default_factory=dict[str, list[Cell]])
    """What each row came back as, by column, in the columns' own units; empty for other networks."""


class Predictor:
    """A trained network with everything between raw columns and its answers.

    Its answers are those of the training process: the same preparation, the same arithmetic, batch norm by its running
    statistics.

    Args:
        stored: what a run left behind.
        device: where to compute.
    """

    def __init__(self, stored: StoredModel, device: torch.device = _CPU) -> None:
        spec = stored.spec
        if spec.loss is None:
            raise ValueError("a run's spec has a loss")
        if isinstance(stored.preparation, TextPreparation):
            raise reads_text("/columns")
        self._device, self.dtype = device, getattr(torch, spec.training.kept_in)
        self.spec: JobSpec = spec
        self.preparation: Preparation = stored.preparation
        classes = len(self.classes)
        model = build_model(spec.model, self.preparation.shape, output_width(spec, self.preparation.shape, classes))
        self.model: nn.Sequential = model.to(device, self.dtype).eval()
        self.model.load_state_dict(stored.weights)
        self.loss = build_loss(spec.loss, torch.ones(classes), spec.model)  # weights of classes change no prediction

    @classmethod
    def load(cls, path: Path | str, device: torch.device = _CPU) -> Predictor:
        """Read a model's file.

        Raises:
            training.model_file.UnreadableModel: when it is none.
        """
        return cls(load_model(Path(path)), device)

    @property
    def classes(self) -> list[str]:
        """Names of the classes in the order of the network's outputs; empty where a number is predicted."""
        return self.preparation.description.classes

    @property
    def columns(self) -> list[str]:
        """The raw columns that a prediction needs."""
        return [column.name for column in self.preparation.description.columns]

    def predict(self, columns: Mapping[str, Sequence[Any] | pl.Series]) -> Predictions:
        """Answer for raw rows.

        Args:
            columns: values (rows,) by name, as a file would hold them: numbers, also as text, texts, None where one is
                missing, nested lists where the column holds arrays. Columns that the model does not need are ignored.

        Raises:
            InvalidRequest: with a pointer into `/columns` for each column that is missing or holds what it cannot.
        """
        x = self.inputs(columns)
        if isinstance(self.spec.model, Autoencoder):
            return self._given_back(self.spec.model, x)
        said = self.raw_scores(x)
        predicted = self.loss.predict(said.to("cpu", torch.float64)).numpy()
        if self.classes:
            names = np.array(self.classes, dtype=object)[predicted.argmax(axis=1)]
            return Predictions(names.tolist(), dict(zip(self.classes, predicted.T.tolist(), strict=True)))
        numbers: list[float] = self.preparation.invert_target(predicted).tolist()
        return Predictions(_finite(numbers), {})

    def inputs(self, columns: Mapping[str, Sequence[Any] | pl.Series]) -> Tensor:
        """The network's inputs (rows, inputs) of raw rows; arguments and errors as of `predict`."""
        faults: list[Fault] = []
        raw: dict[str, np.ndarray] = {}
        for column in self.preparation.description.columns:
            try:
                raw[column.name] = _read(column, columns)
            except InvalidRequest as error:
                faults += error.faults
        faults = faults or list(_of_lengths(raw))
        if faults:
            raise InvalidRequest.of(faults)
        with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is refused below
            x = torch.from_numpy(self.preparation.transform(raw)).to(self.dtype)
        finite = x.isfinite().all(dim=1)
        if not finite.all():
            row = int(finite.to(torch.int8).argmin())
            message = f"row {row} holds numbers too large to compute with in {self.spec.training.kept_in}"
            raise InvalidRequest.at("/columns", "not_finite", message)
        return x

    def raw_scores(self, x: Tensor) -> Tensor:
        """What the network says (rows, outputs) of prepared inputs (rows, inputs)."""
        return scores(self.model, x.to(self._device))

    def _given_back(self, entry: Autoencoder, x: Tensor) -> Predictions:
        """What an autoencoder says of prepared inputs (rows, inputs)."""
        depth = len(entry.encoder(self.preparation.shape))
        codes = scores(self.model[:depth], x.to(self._device))
        given_back = self.loss.predict(scores(self.model[depth:], codes).cpu().double())
        errors = (given_back - x).square().mean(dim=1)
        raw = raw_columns(self.preparation, given_back.numpy())
        return Predictions(_finite(errors.tolist()), {}, codes.tolist(), raw)


def _finite(numbers: Sequence[float]) -> list[float | None]:
    return [number if np.isfinite(number) else None for number in numbers]


def reads_text(pointer: str) -> InvalidRequest:
    """What is said to a question in columns, at its place, that a language model is asked."""
    return InvalidRequest.at(
        pointer, "reads_text", "this model reads text, not columns; send it a prompt to go on with"
    )


def _read(column: PreparedColumn, columns: Mapping[str, Sequence[Any] | pl.Series]) -> np.ndarray:
    """The raw values (rows,) of a column, as `Preparation.transform` takes them."""
    place = f"/columns/{column.name.replace('~', '~0').replace('/', '~1')}"
    if column.name not in columns:
        message = f"column {column.name!r} is not there; {nearest(column.name, list(columns))}"
        raise InvalidRequest.at("/columns", "missing_column", message)
    try:
        return _values(column, columns[column.name])
    except cells.UnreadableValue as error:
        message = f"column {column.name!r}: {error}"
        raise InvalidRequest.at(f"{place}/{error.row}", error.code, message) from error


def _values(column: PreparedColumn, values: Sequence[Any] | pl.Series) -> np.ndarray:
    if column.size > 1:
        return cells.arrays(values, column.size)
    text = cells.as_text(values, column.categories or ())
    if text.null_count() and column.fill is None:
        raise cells.UnreadableValue(
            text.is_null().arg_max() or 0,
            "missing_value",
            "there is no value, and the model was trained on rows that all had one; give it, or train with the "
            "column's `missing` set to what stands in for it",
        )
    return cells.codes(text, column.categories) if column.categories else cells.numbers(text, dates=column.dates)


def _of_lengths(raw: Mapping[str, np.ndarray]) -> Iterator[Fault]:
    lengths = {name: len(values) for name, values in raw.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name!r} {length}" for name, length in list(lengths.items())[:6])
        yield Fault(pointer="/columns", code="uneven_columns", message=f"columns are of different lengths: {shown}")
    elif not min(lengths.values()):
        yield Fault(pointer="/columns", code="no_rows", message="there is no row to predict; give at least one")
