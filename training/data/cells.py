"""Values of a column as a prediction is asked for them, read as an inspection reads a file's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from training.data.tables import MISSING


class UnreadableValue(Exception):
    """A value that the column cannot hold.

    Attributes:
        row: where, counted from 0.
        code: of the fault.
    """

    def __init__(self, row: int, code: str, message: str) -> None:
        super().__init__(message)
        self.row = row
        self.code = code


def as_text(values: Sequence[Any] | pl.Series, categories: Sequence[str] = ()) -> pl.Series:
    """Values (rows,) as a file would have them; null where one is missing.

    Args:
        values: numbers, texts, truth values and None.
        categories: how the column's file writes its values, which decides how true and false are written.

    Raises:
        UnreadableValue: where there is a list or an object.
    """
    if not isinstance(values, pl.Series):
        for row, value in enumerate(values):
            if isinstance(value, list | dict):
                raise UnreadableValue(row, "not_plain", "a value is a number, a text, true, false or null")
        values = pl.Series([_text(value, categories) for value in values], dtype=pl.String)
    text = values.cast(pl.String).str.strip_chars()
    return text.set(text.is_in(MISSING), None)


def numbers(text: pl.Series) -> np.ndarray:
    """Numbers (rows,), NaN where one is missing.

    Raises:
        UnreadableValue: where there is a value that is no finite number.
    """
    read = text.cast(pl.Float64, strict=False)
    wrong = text.is_not_null() & ~read.is_finite().fill_null(False)
    if wrong.any():
        row = wrong.arg_max() or 0
        raise UnreadableValue(row, "not_numeric", f"{text[row][:200]!r} is no finite number; write one such as 1.5")
    return read.fill_null(float("nan")).to_numpy()


def codes(text: pl.Series, categories: Sequence[str]) -> np.ndarray:
    """The place of each value (rows,) among the categories, -1 where it is missing, their number where it is none."""
    labels = text
    if all(category.lstrip("-").isdecimal() for category in categories):  # then 3, 3.0 and 03 are one category
        whole = text.cast(pl.Float64, strict=False).cast(pl.Int64, strict=False)
        same = whole.cast(pl.Float64) == text.cast(pl.Float64, strict=False)
        labels = pl.select(pl.when(same).then(whole.cast(pl.String)).otherwise(text)).to_series()
    places = pl.Series(np.arange(len(categories), dtype=np.int32))
    found = labels.replace_strict(pl.Series(categories), places, default=len(categories), return_dtype=pl.Int32)
    return found.set(labels.is_null(), -1).to_numpy()


def _text(value: Any, categories: Sequence[str]) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool | np.bool_):
        spellings = (str(value).lower(), str(value), str(int(value)))
        return next((spelling for spelling in spellings if spelling in categories), spellings[-1])
    return str(value)
