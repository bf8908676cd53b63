"""What turns raw columns into a network's inputs, fitted on training rows and kept with the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from api_schemas.base import Schema
from api_schemas.catalog.layers import Array, Image, InputShape, as_image
from api_schemas.catalog.preprocessing import NoPreprocessing, Power, PreprocessingEntry
from api_schemas.datasets import Missing
from api_schemas.encoding import embedding_width
from api_schemas.jobs import PreprocessingSpec
from training.build import evaluate
from training.data.filling import stand_in
from training.data.scaling import identity

_BLOCK_NUMBERS = 1 << 19
"""What is prepared at a time: as float64, 4 MiB, which stays in the processor's cache."""


class BadData(Exception):
    """The rows that a job was given cannot be prepared; the message says which column and why, for people."""


class Scaling(Protocol):
    """Fitted numbers, as arrays among its fields, and what they do to rows of shape (rows, columns)."""

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Rescale."""
        ...

    def inverse(self, values: np.ndarray) -> np.ndarray:
        """Bring back into their own units."""
        ...


@dataclass(frozen=True)
class Feature:
    """A raw column that a network learns from."""

    name: str
    values: np.ndarray  # (rows,): float64 with NaN, int32 codes into `categories` with -1; arrays are (rows, size)
    categories: tuple[str, ...] | None = None
    """None for a column of numbers."""
    missing: Missing = "error"
    dates: bool = False
    """Whether the numbers are days since 1970-01-01, which a file writes as dates."""
    encoding: str = "onehot"
    """Name of the entry that categories are encoded by."""

    @property
    def size(self) -> int:
        """How many numbers a value has."""
        return self.values.shape[1] if self.values.ndim > 1 else 1


class PreparedColumn(Schema):
    """How a raw column becomes inputs."""

    name: str
    categories: list[str] | None = None
    """In the order of their codes; None for numbers, each of which becomes one input."""
    encoding: str = "onehot"
    """`onehot` makes of each category an input of 0 or 1, `embedding` and `ordinal` make of all of them one input: the
    code. What is none of them has the code behind the last."""
    size: int = 1
    """How many numbers a value has: more than one where the column holds arrays."""
    dates: bool = False
    """Whether its numbers are days since 1970-01-01, given as dates."""
    fill: float | None = None
    """Number, or code of the category, that stands in for a missing value."""
    indicator: bool = False
    """Whether one more input is 1 where a value was missing, and 0 elsewhere."""

    @property
    def scaled(self) -> list[bool]:
        """Which of its inputs (width,) are numbers to rescale."""
        if self.categories is None:
            inputs = [True] * self.size
        elif self.encoding == "onehot":
            inputs = [False] * len(self.categories)
        else:
            inputs = [self.encoding == "ordinal"]
        return inputs + [False] * self.indicator

    @property
    def width(self) -> int:
        """How many inputs it becomes."""
        return len(self.scaled)

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Inputs (rows, width) of raw values (rows,)."""
        filled = values if self.fill is None else np.where(self._missing(values), self.fill, values)
        if self.categories is not None and self.encoding == "onehot":
            inputs = (filled[:, None] == np.arange(len(self.categories))).astype(np.float64)
        else:
            inputs = filled.reshape(len(filled), -1).astype(np.float64, copy=False)
        return np.column_stack([inputs, self._missing(values)]) if self.indicator else inputs

    def _missing(self, values: np.ndarray) -> np.ndarray:
        return np.isnan(values) if self.categories is None else values < 0


class Description(Schema):
    """The part of a preparation that is no array."""

    columns: list[PreparedColumn]
    """In the order of the inputs."""
    preprocessing: PreprocessingSpec
    """What was fitted."""
    target: str | None
    """The predicted column; None where the dataset has none by name."""
    classes: list[str]
    """The classes in the order of their numbers; empty where a number is predicted."""
    array: Array | None = None
    """The axes of a row that is an array."""

    def spread(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Inputs (rows, inputs) that are not yet rescaled, from raw columns (rows,) by name."""
        inputs = np.empty((len(columns[self.columns[0].name]), sum(column.width for column in self.columns)))
        place = 0
        for column in self.columns:
            spread = column.spread(columns[column.name])
            inputs[:, place : (place := place + spread.shape[1])] = spread
        return inputs

    @property
    def numeric(self) -> np.ndarray:
        """Which inputs are numbers to rescale (inputs,); the others stay as they are."""
        return np.concatenate([column.scaled for column in self.columns])


@dataclass(frozen=True)
class Preparation:
    """Everything between raw columns and a network, and between its output and the target's own units."""

    description: Description
    numeric: Scaling
    target: Scaling

    @classmethod
    def load(cls, description: Description, arrays: Mapping[str, np.ndarray]) -> Preparation:
        """The preparation whose `description` and `arrays()` these are; it does the same, bit for bit."""
        spec = description.preprocessing
        numeric = _restore(spec.numeric if description.numeric.any() else NoPreprocessing(), "numeric", arrays)
        return cls(description, numeric, _restore(spec.target or NoPreprocessing(), "target", arrays))

    @property
    def shape(self) -> InputShape:
        """What the network sees of a row."""
        described = self.description
        starts = np.cumsum([0, *(column.width for column in described.columns)]).tolist()
        codes = {
            start: len(column.categories) + 1
            for start, column in zip(starts, described.columns, strict=False)
            if column.categories is not None and column.encoding == "embedding"
        }
        return InputShape(starts[-1], described.array, codes, embedding_width(described.preprocessing))

    def transform(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """A network's inputs (rows, inputs) from raw columns (rows,) by name."""
        inputs = self.description.spread(columns)
        numeric = self.description.numeric
        rescaled = self.numeric.transform(_numbers(inputs, numeric))
        if numeric.all():
            return rescaled
        inputs[:, numeric] = rescaled
        return inputs

    def transform_target(self, numbers: np.ndarray) -> np.ndarray:
        """What a network learns (rows,) of a target in its own units (rows,)."""
        return self.target.transform(numbers[:, None])[:, 0]

    def invert_target(self, learned: np.ndarray) -> np.ndarray:
        """A target in its own units (rows,) of what a network says (rows,)."""
        return self.target.inverse(learned[:, None])[:, 0]

    def arrays(self) -> dict[str, np.ndarray]:
        """The fitted numbers by name, for a file."""
        return {
            f"{place}.{name}": value
            for place, scaling in (("numeric", self.numeric), ("target", self.target))
            for name, value in vars(scaling).items()
            if isinstance(value, np.ndarray)
        }


def blocks(rows: int, width: int) -> Iterator[slice]:
    """Rows of so many numbers, some at a time."""
    step = max(1, _BLOCK_NUMBERS // width)
    return (slice(start, start + step) for start in range(0, rows, step))


def fit(
    features: Sequence[Feature],
    target: np.ndarray | None,
    description: Description,
    rows: np.ndarray,
) -> Preparation:
    """Fit on training rows.

    Args:
        features: raw columns, whole.
        target: classes or numbers (rows,), whole; None where none is learned.
        description: what is asked for; its columns are filled in here.
        rows: which rows train; nothing of the others is measured.

    Raises:
        BadData: when a column to fill in has no value in the training rows, or numbers are not what its preprocessing
            takes.
    """
    described = description.model_copy(update={"columns": [_column(feature, rows) for feature in features]})
    spec, scaled = description.preprocessing, None if description.classes else target
    for feature in features:
        if feature.categories is None or feature.encoding == "ordinal":
            _refuse_not_positive(spec.numeric, feature.name, feature.values)
    if scaled is not None and spec.target:
        _refuse_not_positive(spec.target, description.target or "target", scaled)
    return Preparation(
        description=described,
        numeric=_fit_numbers(features, described, rows),
        target=_fit(spec.target, scaled[rows, None]) if scaled is not None and spec.target else identity(1),
    )


def _fit_numbers(features: Sequence[Feature], described: Description, rows: np.ndarray) -> Scaling:
    entry, numeric = described.preprocessing.numeric, described.numeric
    if entry.target is None or not numeric.any():
        return identity(int(numeric.sum()))
    scaled = [feature for feature, column in zip(features, described.columns, strict=True) if any(column.scaled)]
    some = described.model_copy(update={"columns": [column for column in described.columns if any(column.scaled)]})
    numbers = np.empty((len(rows), int(numeric.sum())))
    for place in blocks(*numbers.shape):
        inputs = some.spread({feature.name: feature.values[rows[place]] for feature in scaled})
        numbers[place] = _numbers(inputs, some.numeric)
    return _fit(entry, numbers, as_image(described.array))


def _numbers(inputs: np.ndarray, numeric: np.ndarray) -> np.ndarray:
    """The inputs (rows, inputs) that are numbers, row after row in memory: sums round by the order that they take."""
    return inputs if numeric.all() else inputs.compress(numeric, axis=1)


def _fit(entry: PreprocessingEntry, values: np.ndarray, image: Image | None = None) -> Scaling:
    if entry.target is None or not values.shape[1]:
        return identity(values.shape[1])
    return evaluate(entry.fit(values, image))


def _restore(entry: PreprocessingEntry, place: str, arrays: Mapping[str, np.ndarray]) -> Scaling:
    prefix = f"{place}."
    held = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    return evaluate(entry.restore(held))


def _refuse_not_positive(entry: PreprocessingEntry, name: str, values: np.ndarray) -> None:
    if isinstance(entry, Power) and entry.method == "box-cox" and not np.nanmin(values) > 0:
        raise BadData(
            f"box-cox takes numbers above 0, and column {name!r} holds {np.nanmin(values):g}; use yeo-johnson, which "
            "takes any"
        )


def _column(feature: Feature, rows: np.ndarray) -> PreparedColumn:
    fill = None if feature.missing == "error" else _fill(feature, rows)
    return PreparedColumn(
        name=feature.name,
        categories=None if feature.categories is None else list(feature.categories),
        encoding=feature.encoding,
        size=feature.size,
        dates=feature.dates,
        fill=fill,
        indicator=feature.missing == "indicator",
    )


def _fill(feature: Feature, rows: np.ndarray) -> float:
    values = feature.values[rows]
    present = values[values >= 0] if feature.categories is not None else values[~np.isnan(values)]
    if not len(present):
        raise BadData(
            f"column {feature.name!r} has no value in any training row, so there is no {feature.missing} to fill in; "
            "set its role to ignore"
        )
    usual = "mean" if feature.categories is None else "most_frequent"
    return stand_in(present, usual if feature.missing == "indicator" else feature.missing)
