"""A table before anything is inferred from it: names, cells, and which rows hold anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from api_schemas.datasets import Role
from api_schemas.errors import Fault
from training.data.plain import column_names
from training.data.refusal import Limits, UnreadableTable

MAX_NAME = 1000
"""Characters of a column's name, as a job or a correction may give it."""


@dataclass(frozen=True)
class RawTable:
    """Columns as the file has them."""

    columns: dict[str, pl.Series]
    """In the file's order; each either Float64 without NaN, or text without spaces round it. Null where the file has
    nothing or one of `MISSING`."""
    row_numbers: pl.Series
    """The row of each cell in the file, counted from 1 below the header."""
    decimal_comma: bool = False
    """Whether 3,5 in a text is three and a half, as in files whose separator is a semicolon."""
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict[str, np.ndarray])
    """Columns of arrays (rows, ...), in front of the others."""
    roles: Mapping[str, Role] = field(default_factory=dict[str, Role])
    """What columns are for, as the file says."""
    warnings: Sequence[Fault] = ()
    """What surprises before a column is looked at."""


@dataclass(frozen=True)
class Source:
    """A file that is about to be read.

    Attributes:
        path: its bytes, not compressed.
        limits: what it has to keep.
        tell: hears how many rows have been read.
    """

    path: Path
    limits: Limits
    tell: Callable[[int], None]


def usable_names(header: Sequence[str], limits: Limits) -> list[str]:
    """What the columns are called.

    Raises:
        UnreadableTable: when there are none, too many, two of the same name, or one with a name that is too long.
    """
    limits.check_columns(len(header))
    names = column_names(header)
    if not names:
        raise UnreadableTable("not_a_table", "the first line is blank; begin the file with the names of its columns")
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise UnreadableTable("duplicate_column", f"{times} columns are called {name!r}; give each its own name")
    longest = max(names, key=len)
    if len(longest) > MAX_NAME:
        place, length = names.index(longest) + 1, len(longest)
        raise UnreadableTable(
            "long_name", f"the name of column {place} has {length} characters; shorten it to at most {MAX_NAME}"
        )
    return names


def raw_table(names: Sequence[str], columns: Sequence[pl.Series], *, decimal_comma: bool = False) -> RawTable:
    """The table without the rows that hold nothing.

    Raises:
        UnreadableTable: when no row is left.
    """
    frame = pl.DataFrame([column.alias(str(place)) for place, column in enumerate(columns)])
    frame = frame.with_row_index("row", offset=1)
    if all(column.null_count() for column in columns):
        frame = frame.filter(pl.any_horizontal(pl.exclude("row").is_not_null()))
    if not frame.height:
        raise UnreadableTable("no_rows", "the file has a header and no rows below it; add some")
    return RawTable(dict(zip(names, frame.drop("row").get_columns(), strict=True)), frame["row"], decimal_comma)
