"""Values of a column as a prediction is asked for them, read as an inspection reads a file's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from training.data.plain import as_days, without_missing


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
    if isinstance(values, pl.Series):
        return without_missing(values.cast(pl.String))
    for row, value in enumerate(values):
        if isinstance(value, list | dict):
            raise UnreadableValue(row, "not_plain", "a value is a number, a text, true, false or null")
    return without_missing(pl.Series([_text(value, categories) for value in values], dtype=pl.String))


def numbers(text: pl.Series, *, dates: bool = False) -> np.ndarray:
    """Numbers (rows,), dates as days since 1970-01-01; NaN where one is missing.

    Raises:
        UnreadableValue: where there is a value that is no finite number, or no date.
    """
    read = pl.Series(as_days(text)).fill_nan(None) if dates else text.cast(pl.Float64, strict=False)
    wrong = text.is_not_null() & ~read.is_finite().fill_null(value=False)
    if wrong.any():
        row = wrong.arg_max() or 0
        code, wanted = ("not_date", "date; write one such as 2024-12-31") if dates else ("not_numeric", "finite number")
        raise UnreadableValue(row, code, f"{text[row][:200]!r} is no {wanted}")
    return read.fill_null(np.nan).to_numpy()


def codes(text: pl.Series, categories: Sequence[str]) -> np.ndarray:
    """The place of each value (rows,) among the categories, -1 where it is missing, their number where it is none."""
    names, values = pl.Series(categories, dtype=pl.String), text
    numbers = names.cast(pl.Float64, strict=False)
    if not numbers.null_count():  # then 3, 3.0 and 03 are one category
        names, values = numbers, text.cast(pl.Float64, strict=False)
    places = pl.int_range(len(names), dtype=pl.Int32, eager=True)
    found = values.replace_strict(names, places, default=len(names), return_dtype=pl.Int32)
    return found.set(text.is_null(), -1).to_numpy()


def arrays(values: Sequence[Any] | pl.Series, size: int) -> np.ndarray:
    """Arrays (rows, size), each flat in the order of its axes, from nested lists or arrays of any shape of as many.

    Raises:
        UnreadableValue: where there is something else, or a number that is not finite.
    """
    read = np.empty((len(values), size))
    for row, value in enumerate(values):
        try:
            flat = np.asarray(value, dtype=np.float64).ravel()
        except (TypeError, ValueError) as error:
            raise UnreadableValue(row, "not_array", f"this is no array of numbers; give {size} of them") from error
        if flat.size != size or not np.isfinite(flat).all():
            raise UnreadableValue(row, "not_array", f"an array of {size} finite numbers is needed; this is another")
        read[row] = flat
    return read


def _text(value: Any, categories: Sequence[str]) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool | np.bool_):
        spellings = (str(value).lower(), str(value), str(int(value)))
        return next((spelling for spelling in spellings if spelling in categories), spellings[-1])
    return str(value)
