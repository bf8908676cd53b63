"""An uploaded file read with little more than the standard library, once its columns are known.

`training.data.tables` finds out what a file holds, and refuses what it cannot use; this reads the same numbers from a
file that was found good.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import polars as pl

from training.data.filling import stand_in
from training.data.reading import column_names
from training.data.tables import MISSING


def read_text(path: str, separators: str) -> tuple[dict[str, list[str]], bool]:
    """The columns of a text file by name, as text; rows with nothing in them are left out.

    Args:
        path: UTF-8 with a header.
        separators: what may stand between two fields; it is the one that makes most columns of the header.

    Returns:
        The columns, and whether 3,5 means three and a half, as it does where a semicolon separates.
    """
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        lines = file.readlines()
    separator = max(separators, key=lambda mark: len(next(csv.reader(lines, delimiter=mark))))
    header, *rows = ([cell.strip() for cell in row] for row in csv.reader(lines, delimiter=separator))
    columns = zip(*(row for row in rows if any(row)), strict=True)
    return {name: list(cells) for name, cells in zip(column_names(header), columns, strict=True)}, separator == ";"


def read_parquet(path: str) -> dict[str, list[str]]:
    """The columns of a Parquet file by name, as text; rows with nothing in them are left out."""
    frame = pl.read_parquet(path).cast(pl.String).fill_null("")
    rows = ([cell.strip() for cell in row] for row in frame.iter_rows())
    columns = zip(*(row for row in rows if any(row)), strict=True)
    return {name: list(cells) for name, cells in zip(column_names(frame.columns), columns, strict=True)}


def as_numbers(cells: list[str], decimal_comma: bool = False) -> np.ndarray:
    """Numbers (rows,), NaN where one is missing."""
    plain = [cell.replace(",", ".") if decimal_comma else cell for cell in cells]
    return np.array([np.nan if cell in MISSING else float(cell) for cell in plain])


def as_codes(cells: list[str], categories: list[str], decimal_comma: bool = False) -> np.ndarray:
    """The place of each cell (rows,) among the categories, -1 where it is missing."""
    if all(re.fullmatch(r"-?\d+", category) for category in categories):  # then 3, 3.0 and 03 are one category
        numbers = as_numbers(cells, decimal_comma)
        cells = ["" if np.isnan(number) else str(int(number)) for number in numbers]
    places = {category: place for place, category in enumerate(categories)}
    return np.array([-1 if cell in MISSING else places[cell] for cell in cells])


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
