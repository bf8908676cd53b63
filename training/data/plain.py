"""An uploaded file read with little code, once its columns are known.

`training.data.tables` finds out what a file holds, and refuses what it cannot use; this reads the same numbers from a
file that was found good.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import polars as pl
from polars import selectors

from training.data.filling import stand_in

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)

MISSING = (
    *("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NAN", "-nan", "-NaN"),
    *("null", "NULL", "None", "NaT", "?", "\\N"),
)
"""How files write that there is no value."""
ISO_8601 = r"^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?(?: ?(?:Z|UTC|([+-]\d{2}):?(\d{2})))?)?$"
"""A date, a time, an offset from UTC; the date alone will do."""


def read_text(path: str, separators: str) -> tuple[dict[str, pl.Series], bool]:
    """The columns of a text file by name, as text, null where a value is missing.

    Args:
        path: UTF-8 with a header, plain or compressed with gzip or Zstandard.
        separators: what may stand between two fields; it is the one that makes most columns of the header.

    Returns:
        The columns, and whether 3,5 means three and a half, as it does where a semicolon separates.
    """
    separator = max(separators, key=lambda mark: len(pl.scan_csv(path, separator=mark).collect_schema()))
    table = pl.read_csv(path, separator=separator, has_header=False, infer_schema=False)
    return present(table.row(0), table.slice(1)), separator == ";"


def read_parquet(path: str) -> dict[str, pl.Series]:
    """The columns of a Parquet file by name: Float64 or text, null where a value is missing."""
    table = pl.read_parquet(path)
    return present(table.columns, plain_types(table))


def read_feather(path: str) -> dict[str, pl.Series]:
    """The columns of a Feather file by name: Float64 or text, null where a value is missing."""
    table = pl.read_ipc(path)
    return present(table.columns, plain_types(table))


def read_json_lines(path: str) -> dict[str, pl.Series]:
    """The columns of a file with a JSON object on each line: Float64 or text, null where a value is missing."""
    table = pl.scan_ndjson(path, infer_schema_length=None).collect()
    return present(table.columns, plain_types(table))


def joined(tables: Sequence[dict[str, pl.Series]], parts: Sequence[str]) -> dict[str, pl.Series]:
    """The rows of several tables one after the other, by column.

    Args:
        tables: of the same columns, in any order; one without rows has columns of any type.
        parts: which part each of them is, for the column `split`; none where they are not told apart.
    """
    columns = {name: pl.concat([table[name] for table in tables if len(table[name])]) for name in tables[0]}
    if parts:
        rows = [len(next(iter(table.values()))) for table in tables]
        columns["split"] = pl.Series(np.repeat(parts, rows), dtype=pl.String)
    return columns


def plain_types(table: Frame) -> Frame:
    """The same table, each column Float64 or text."""
    numbers = selectors.integer() | selectors.float()
    return table.with_columns(numbers.cast(pl.Float64).fill_nan(None), (~numbers).cast(pl.String))


def present(header: Sequence[str | None], table: pl.DataFrame) -> dict[str, pl.Series]:
    """The columns by name, null where a value is missing; rows with no value at all are left out."""
    cells = table.select(without_missing(column) for column in table.get_columns())
    cells = cells.filter(pl.any_horizontal(pl.all().is_not_null()))
    return dict(zip(column_names(header), cells.get_columns(), strict=True))


def column_names(header: Sequence[str | None]) -> list[str]:
    """What the columns are called; one without a name is called by its place, counted from 1."""
    return [(name or "").strip() or f"column_{place}" for place, name in enumerate(header, 1)]


def without_missing(cells: pl.Series) -> pl.Series:
    """Text without the spaces round it, null where it says that there is no value; numbers as they are."""
    if cells.dtype != pl.String:
        return cells
    stripped = cells.str.strip_chars()
    return stripped.set(stripped.is_in(MISSING), None)


def with_point(cells: pl.Series) -> pl.Series:
    """Text with a decimal point where it has a decimal comma."""
    return cells.str.replace(",", ".", literal=True)


def as_numbers(cells: pl.Series, decimal_comma: bool = False) -> np.ndarray:
    """Numbers (rows,), NaN where one is missing."""
    plain = with_point(cells) if decimal_comma and cells.dtype == pl.String else cells
    return plain.cast(pl.Float64).fill_null(np.nan).to_numpy()


def as_days(cells: pl.Series) -> np.ndarray:
    """Dates (rows,) as days since 1970-01-01, NaN where one is missing or not as in ISO 8601.

    The time of day is a fraction; a time with an offset is brought to UTC.
    """
    part = [cells.str.extract(ISO_8601, group) for group in range(1, 7)]
    days = part[0].str.to_date("%Y-%m-%d", strict=False).to_physical().cast(pl.Float64)
    hour, minute, second, hours_ahead, minutes_ahead = (text.cast(pl.Float64).fill_null(0.0) for text in part[1:])
    sign = 1 - 2 * part[4].fill_null("+").str.starts_with("-").cast(pl.Float64)  # -00:30 has it nowhere else
    ahead = sign * (hours_ahead.abs() + minutes_ahead / 60)
    return (days + (hour - ahead) / 24 + minute / 1440 + second / 86400).fill_null(np.nan).to_numpy()


def as_codes(cells: pl.Series, categories: Sequence[str], decimal_comma: bool = False) -> np.ndarray:
    """The place of each cell (rows,) among the categories, -1 where it is missing or none of them."""
    names = pl.Series(categories, dtype=pl.String)
    numbers = names.cast(pl.Float64, strict=False)
    if not numbers.null_count():  # then 3, 3.0 and 03 are one category
        names, cells = numbers, pl.Series(as_numbers(cells, decimal_comma))
    places = pl.Series(np.arange(len(names)))
    return cells.replace_strict(names, places, default=-1, return_dtype=pl.Int64).to_numpy()


def fill_numbers(numbers: np.ndarray, training: np.ndarray, how: str) -> np.ndarray:
    """Numbers (rows,) with the mean, median or most frequent of the training rows where one is missing."""
    known = numbers[training]
    return np.where(np.isnan(numbers), stand_in(known[~np.isnan(known)], how), numbers)


def fill_codes(codes: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Codes (rows,) with the most frequent of the training rows where one is missing."""
    known = codes[training]
    return np.where(codes < 0, int(stand_in(known[known >= 0], "most_frequent")), codes)


def one_hot(codes: np.ndarray, categories: int) -> np.ndarray:
    """A column of 0 and 1 for each category (rows, categories); where a code is missing all are 0."""
    return (codes[:, None] == np.arange(categories)).astype(np.float64)
