"""What turns raw columns into a network's inputs, fitted on training rows and kept with the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from api_schemas.base import Schema
from api_schemas.catalog.preprocessing import PreprocessingEntry
from api_schemas.datasets import Missing
from api_schemas.jobs import PreprocessingSpec
from training.build import build
from training.data.scaling import Affine


class BadData(Exception):
    """The rows that a job was given cannot be prepared; the message says which column and why, for people."""


@dataclass(frozen=True)
class Feature:
    """A raw column that a network learns from."""

    name: str
    values: np.ndarray  # (rows,): float64 with NaN, or int32 codes into `categories` with -1
    categories: tuple[str, ...] | None = None
    """None for a column of numbers."""
    missing: Missing = "error"


class PreparedColumn(Schema):
    """How a raw column becomes inputs."""

    name: str
    categories: list[str] | None = None
    """Each becomes an input of 0 or 1; None for a number, which becomes one input."""
    fill: float | None = None
    """Number, or code of the category, that stands in for a missing value."""

    @property
    def width(self) -> int:
        """How many inputs it becomes."""
        return 1 if self.categories is None else len(self.categories)

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Inputs (rows, width) of raw values (rows,); a missing or unseen category without a fill is all 0."""
        if self.categories is None:
            filled = values if self.fill is None else np.where(np.isnan(values), self.fill, values)
            return filled[:, None].astype(np.float64)
        filled = values if self.fill is None else np.where(values < 0, int(self.fill), values)
        return (filled[:, None] == np.arange(len(self.categories))).astype(np.float64)


class Description(Schema):
    """The part of a preparation that is no array."""

    columns: list[PreparedColumn]
    """In the order of the inputs."""
    target: str | None
    """The predicted column; None where the dataset has none by name."""
    classes: list[str]
    """The network's outputs in order; empty where it predicts a number."""


@dataclass(frozen=True)
class Preparation:
    """Everything between raw columns and a network, and between its output and the target's own units."""

    description: Description
    inputs: Affine  # (inputs,), categories left as they are
    target: Affine  # (1,), the identity for classes

    @property
    def width(self) -> int:
        """How many inputs the network has."""
        return sum(column.width for column in self.description.columns)

    def transform(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """A network's inputs (rows, inputs) from raw columns (rows,) by name."""
        spread = [column.spread(columns[column.name]) for column in self.description.columns]
        return self.inputs.transform(np.concatenate(spread, axis=1))

    def arrays(self) -> dict[str, np.ndarray]:
        """The fitted numbers by name, for a file."""
        return {
            "inputs.shift": self.inputs.shift,
            "inputs.scale": self.inputs.scale,
            "target.shift": self.target.shift,
            "target.scale": self.target.scale,
        }


def fit(
    features: Sequence[Feature], target: np.ndarray, description: Description, spec: PreprocessingSpec, rows: np.ndarray
) -> Preparation:
    """Fit on training rows.

    Args:
        features: raw columns, whole.
        target: classes or numbers (rows,), whole.
        description: the target's part of it; its columns are filled in here.
        spec: what is asked for.
        rows: which rows train; nothing of the others is looked at.

    Raises:
        BadData: when a column to fill in has no value in the training rows.
    """
    columns = [_column(feature, rows) for feature in features]
    blocks = [
        _block(column, feature.values[rows], spec.numeric) for column, feature in zip(columns, features, strict=True)
    ]
    inputs = Affine(
        np.concatenate([block.shift for block in blocks]), np.concatenate([block.scale for block in blocks])
    )
    scaled = not description.classes
    return Preparation(
        description=description.model_copy(update={"columns": columns}),
        inputs=inputs,
        target=_scaling(spec.target, target[rows, None]) if scaled else Affine.identity(1),
    )


def _column(feature: Feature, rows: np.ndarray) -> PreparedColumn:
    fill = None if feature.missing == "error" else _fill(feature, rows)
    return PreparedColumn(
        name=feature.name, categories=None if feature.categories is None else list(feature.categories), fill=fill
    )


def _fill(feature: Feature, rows: np.ndarray) -> float:
    values = feature.values[rows]
    present = values[values >= 0] if feature.categories is not None else values[~np.isnan(values)]
    if not len(present):
        raise BadData(
            f"column {feature.name!r} has no value in any training row, so there is no {feature.missing} to fill in; "
            "set its role to ignore"
        )
    if feature.missing == "most_frequent":
        found, counts = np.unique(present, return_counts=True)
        return float(found[counts.argmax()])
    return float(np.median(present) if feature.missing == "median" else np.mean(present))


def _block(column: PreparedColumn, values: np.ndarray, entry: PreprocessingEntry) -> Affine:
    """The scaling of one column's inputs."""
    return Affine.identity(column.width) if column.categories is not None else _scaling(entry, column.spread(values))


def _scaling(entry: PreprocessingEntry, values: np.ndarray) -> Affine:
    return build(entry).fit(values) if entry.target else Affine.identity(values.shape[1])
