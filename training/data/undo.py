"""The way back from a network's inputs to raw columns."""

from __future__ import annotations

import numpy as np

from training.data.preparation import Preparation, PreparedColumn

Cell = str | float | list[float] | None
"""What a file would hold: a category or a date, a number, an array flat in the order of its axes, or nothing."""


def raw_columns(preparation: Preparation, inputs: np.ndarray) -> dict[str, list[Cell]]:
    """Values (rows,) by column that inputs (rows, inputs) stand for.

    Numbers are in their own units; the largest of a category's inputs says which it is; a value is missing where its
    indicator is above a half, or where no number is rescaled to such an input.
    """
    numeric = preparation.description.numeric
    inputs = inputs.astype(np.float64)
    inputs[:, numeric] = preparation.numeric.inverse(np.ascontiguousarray(inputs[:, numeric]))
    found: dict[str, list[Cell]] = {}
    place = 0
    for column in preparation.description.columns:
        found[column.name] = _cells(column, inputs[:, place : place + column.width])
        place += column.width
    return found


def _cells(column: PreparedColumn, inputs: np.ndarray) -> list[Cell]:
    """The values (rows,) of one column from its inputs (rows, width)."""
    if not column.indicator:
        return _values(column, inputs)
    missing = inputs[:, -1] > 0.5
    return [None if gone else cell for gone, cell in zip(missing, _values(column, inputs[:, :-1]), strict=True)]


def _values(column: PreparedColumn, inputs: np.ndarray) -> list[Cell]:
    if column.categories is not None:
        last = len(column.categories) - 1
        codes = inputs.argmax(axis=1) if column.encoding == "onehot" else inputs[:, 0].round().clip(0, last).astype(int)
        return [column.categories[code] for code in codes]
    if column.size > 1:
        return inputs.tolist()
    if column.dates:
        seconds = (inputs[:, 0] * 86_400).round().astype("datetime64[s]")
        return [None if np.isnat(second) else str(second) for second in seconds]
    return [number if np.isfinite(number) else None for number in inputs[:, 0].tolist()]
