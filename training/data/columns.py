"""One column of an uploaded table on its way from cells to a type, statistics and an array."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import polars as pl

from api_schemas.corrections import no_mean
from api_schemas.datasets import Column, ColumnChoice, ColumnStats, ColumnType, Role
from api_schemas.targets import MAX_CLASSES
from training.data.numbers import Summary, summarise
from training.data.plain import ISO_8601, as_days, with_point
from training.data.raw import RawTable
from training.data.refusal import UnreadableTable

PREVIEW_ROWS = 20
SHOWN_CHARACTERS = 200
LONGEST_CATEGORY = 1000
"""In bytes of UTF-8; every reply that shows a dataset holds the names of its categories."""
_MISSING_ROWS = 10
_SMALL = 20
_FIRST = 1000
"""So many mostly show that a column holds fractions."""
_WHOLE_LIMIT = 2.0**53
"""Beyond it a float64 no longer tells neighbouring whole numbers apart."""


@dataclass(frozen=True)
class Choice:
    """What a person said of one column, and where in the request."""

    said: ColumnChoice
    pointer: str = "/columns"
    is_target: bool = False

    @property
    def role(self) -> Role | None:
        """What the column shall be used for."""
        return "target" if self.is_target else self.said.role


class ColumnReading:
    """Infers what a column holds; a choice wins over what is inferred.

    Args:
        table: that it stands in.
        name: of the column.
        choice: what a person said of it.

    Raises:
        UnreadableTable: when the choice does not fit what the column holds.
    """

    def __init__(self, table: RawTable, name: str, choice: Choice) -> None:
        self.name = name
        self.cells = table.columns[name]
        self._choice = choice
        self._row_numbers = table.row_numbers
        self._decimal_comma = table.decimal_comma
        self.type: ColumnType = self._type()

    def describe(self) -> Column:
        """The column as the dataset will show it.

        Raises:
            UnreadableTable: when what shall stand in for a missing value does not fit its type, or a number is not
                finite.
        """
        said, role = self._choice.said, self._choice.role
        if said.missing in ("mean", "median") and self.type == "category":
            raise UnreadableTable("not_numeric", no_mean(said), f"{self._choice.pointer}/missing")
        if self.type == "numeric":
            self._refuse_infinite()
        return Column(
            name=self.name,
            type=self.type,
            role=role or ("ignore" if self.type == "text" else "feature"),
            encode=said.encode,
            missing=said.missing or "error",
            stats=self._stats(),
        )

    @cached_property
    def array(self) -> np.ndarray | None:
        """The values as numbers: float64 with NaN, or int32 codes with -1; None for text, but of groups their codes."""
        if self.type == "text":
            return self._group_codes if self._choice.role == "group" else None
        return self._codes if self.type == "category" else self.numbers.fill_null(np.nan).to_numpy()

    @cached_property
    def numbers(self) -> pl.Series:
        """The values as Float64, dates as days; null where one is missing or no number."""
        if self.cells.dtype == pl.Float64:
            return self.cells
        if self._dates:
            return pl.Series(as_days(self.cells)).fill_nan(None)
        plain = with_point(self.cells) if self._decimal_comma else self.cells
        return plain.cast(pl.Float64, strict=False).fill_nan(None)

    @property
    def shown(self) -> pl.Series:
        """The first values as a preview has them: numbers, and text that is not too long."""
        if self.type == "numeric" and not self._dates:
            return self.numbers.head(PREVIEW_ROWS)
        return self._labels(self._values.head(PREVIEW_ROWS)).str.slice(0, SHOWN_CHARACTERS)

    @cached_property
    def _dates(self) -> bool:
        """Whether every value is a date as in ISO 8601."""
        if self.cells.dtype == pl.Float64:
            return False
        values = self.cells.drop_nulls()
        if not len(values) or not values.head(1).str.contains(ISO_8601).item():
            return False
        return not np.isnan(as_days(values)).any()

    @cached_property
    def _present(self) -> int:
        return len(self.cells) - self.cells.null_count()

    @cached_property
    def _wrong(self) -> pl.Series:
        """Where there is a value that is no number."""
        return self.cells.is_not_null() & self.numbers.is_null()

    @cached_property
    def _all_numbers(self) -> bool:
        return bool(self._present) and self.numbers.null_count() == self.cells.null_count() and not self._dates

    @cached_property
    def _whole(self) -> bool:
        """Whether every value is a whole number that float64 holds exactly."""
        if not self._all_numbers:
            return False
        return _are_whole(self.numbers.head(_FIRST)) and _are_whole(self.numbers)

    @cached_property
    def _values(self) -> pl.Series:
        """What tells values apart: numbers, so that 3, 3.0 and 03 are one, or text."""
        return self.numbers if self._all_numbers else self.cells

    def _labels(self, values: pl.Series) -> pl.Series:
        """Values as category names."""
        return (values.cast(pl.Int64) if self._whole else values).cast(pl.String)

    @cached_property
    def _summary(self) -> Summary | None:
        """What the numbers look like; None where there is none."""
        known = self.numbers.drop_nulls().to_numpy()
        return summarise(known) if len(known) else None

    @cached_property
    def _distinct(self) -> int:
        if self._all_numbers and self._summary:
            return self._summary.distinct
        return self._values.n_unique() - bool(self._values.null_count())

    @cached_property
    def _counted(self) -> pl.DataFrame:
        """Each different value and its `count`, numbers by size, text by the alphabet; none if too many."""
        countable = self.type == "category" or (self.type == "numeric" and self._whole)
        values = self._values if countable and self._distinct <= MAX_CLASSES else self._values.head(0)
        return values.alias("value").drop_nulls().value_counts(name="count").sort("value")

    @cached_property
    def _codes(self) -> np.ndarray:
        places = pl.int_range(self._counted.height, dtype=pl.Int32, eager=True)
        return self._values.replace_strict(self._counted["value"], places, default=-1, return_dtype=pl.Int32).to_numpy()

    @property
    def _group_codes(self) -> np.ndarray:
        groups = self._values.drop_nulls().unique(maintain_order=True)
        places = pl.int_range(len(groups), dtype=pl.Int32, eager=True)
        return self._values.replace_strict(groups, places, default=-1, return_dtype=pl.Int32).to_numpy()

    def _group_sizes(self) -> dict[int, int]:
        """How many groups there are of each number of rows."""
        sizes = self._values.drop_nulls().value_counts(name="rows")["rows"]
        return dict(sizes.value_counts(name="groups").sort("rows").iter_rows())

    def _first(self, mask: pl.Series) -> str:
        """The first marked value and its row, as people say it."""
        place = mask.arg_max() or 0
        return f"{str(self.cells[place])[:SHOWN_CHARACTERS]!r} in row {self._row_numbers[place]}"

    def _type(self) -> ColumnType:
        asked = self._choice.said.type
        found = asked or self._inferred_type()
        if found == "numeric":
            self._refuse_no_numbers()
        elif asked == "category" and self._distinct > MAX_CLASSES:
            raise UnreadableTable(
                "too_many_categories",
                f"column {self.name!r} has {self._distinct} different values, more than the {MAX_CLASSES} that can be "
                "categories; set its role to ignore",
                f"{self._choice.pointer}/type",
            )
        elif asked == "category" and self._longest > LONGEST_CATEGORY:
            raise UnreadableTable(
                "too_long_category",
                f"column {self.name!r} holds a value of {self._longest:,} bytes, and a category's name has at most "
                f"{LONGEST_CATEGORY:,}; set its role to ignore",
                f"{self._choice.pointer}/type",
            )
        return found

    @property
    def _longest(self) -> int:
        """Bytes of the longest value."""
        lengths = self.cells.str.len_bytes() if self.cells.dtype == pl.String else None
        return 0 if lengths is None else cast("int", lengths.max() or 0)

    def _inferred_type(self) -> ColumnType:
        if not self._present:
            return "text"
        if self.numbers.null_count() == self.cells.null_count():
            return "numeric"
        few = self._distinct <= max(_SMALL, 0.9 * self._present) or self._choice.role == "target"
        return "category" if few and self._distinct <= MAX_CLASSES and self._longest <= LONGEST_CATEGORY else "text"

    def _refuse_no_numbers(self) -> None:
        if self.numbers.null_count() > self.cells.null_count():
            raise UnreadableTable(
                "not_numeric",
                f"column {self.name!r} holds text ({self._first(self._wrong)}); correct the file, or read the column "
                "as category",
                f"{self._choice.pointer}/type",
            )

    def _refuse_infinite(self) -> None:
        if self._summary and None in (self._summary.minimum, self._summary.maximum):
            infinite = self.numbers.is_infinite().fill_null(value=False)
            raise UnreadableTable(
                "not_finite",
                f"column {self.name!r} holds {self._first(infinite)}, which is no finite number; correct it, or leave "
                "it empty and say what to fill in",
            )

    def _stats(self) -> ColumnStats:
        missing = self.cells.is_null()
        values = self.cells if self._dates else self._values
        example = self._labels(values.drop_nulls().head(1)).to_list()
        return ColumnStats(
            missing=self.cells.null_count(),
            missing_rows=self._row_numbers.filter(missing).head(_MISSING_ROWS).to_list(),
            distinct=self._distinct,
            **self._moments(),
            integral=self.type == "numeric" and self._whole,
            dates=self.type == "numeric" and self._dates,
            example=example[0][:SHOWN_CHARACTERS] if example else None,
            categories=self._labels(self._counted["value"]).to_list(),
            counts=self._counted["count"].to_list(),
            group_sizes=self._group_sizes() if self._choice.role == "group" else {},
            not_numeric=self._first(self._wrong) if self.numbers.null_count() > self.cells.null_count() else None,
        )

    def _moments(self) -> dict[str, Any]:
        if self.type != "numeric" or self._summary is None:
            return {}
        return {name: value for name, value in vars(self._summary).items() if name != "distinct"}


def _are_whole(numbers: pl.Series) -> bool:
    return bool(((numbers == numbers.round()) & (numbers.abs() < _WHOLE_LIMIT)).all())
