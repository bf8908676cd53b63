"""Columns that tell the target by themselves, as what is written down only after the fact does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl

from api_schemas.datasets import Column
from api_schemas.errors import Fault

_FEWEST_ROWS = 20
_ROWS_PER_VALUE = 10
"""A column with fewer rows for each of its values tells many classes by chance."""
_FEWEST_TOLD = 10
"""Rows beyond the most frequent class, of which less cannot show that a column tells the others."""
_MISJUDGED = 0.01
_CORRELATION = 0.999


def leakage_suspects(columns: Sequence[Column], arrays: Mapping[str, np.ndarray]) -> list[Fault]:
    """A warning for each feature that nearly determines the target.

    Of a target with classes it is one whose values, each called by its most frequent class, misjudge at most 1 % of the
    rows that the most frequent class of all misjudges; of a target of numbers one whose correlation with it is above
    0.999 (Kaufman et al. 2012, doi:10.1145/2382577.2382579, on what leakage is).

    Args:
        columns: of the table.
        arrays: by column, as an inspection has them.
    """
    target = next((column for column in columns if column.role == "target" and _is_plain(column)), None)
    if target is None:
        return []

    def how(column: Column) -> str | None:
        if column.role != "feature" or not _is_plain(column):
            return None
        return _tells(column, target, arrays[column.name], arrays[target.name])

    with ThreadPoolExecutor() as pool:
        told = list(pool.map(how, columns))
    return [
        Fault(
            pointer=f"/columns/{place}",
            code="leakage_suspect",
            message=f"column {column.name!r} alone {tells} {target.name!r}; if it is known only once the target is, "
            "set its role to ignore",
        )
        for place, (column, tells) in enumerate(zip(columns, told, strict=True))
        if tells
    ]


def _is_plain(column: Column) -> bool:
    return column.type in ("category", "numeric")


def _tells(column: Column, target: Column, values: np.ndarray, aim: np.ndarray) -> str | None:
    """How a column tells the target; None where it does not."""
    known = len(aim) - target.stats.missing
    if len(target.stats.categories) > 1 and 1 < column.stats.distinct <= known / _ROWS_PER_VALUE:
        right, usual = _rightly_called(values, _known(target, aim))
        if known - usual >= _FEWEST_TOLD and known - right <= _MISJUDGED * (known - usual):
            return f"tells {right} of {known} rows the class of"
    if column.type == target.type == "numeric":
        correlation = _correlation(values, aim)
        if abs(correlation) > _CORRELATION:
            return f"has a correlation of {correlation:.5f} with"
    return None


def _known(column: Column, values: np.ndarray) -> pl.Series:
    """The values (rows,), null where one is missing."""
    if column.type == "category":
        codes = pl.Series(values)
        return codes.set(codes < 0, None)
    return pl.Series(values, nan_to_null=True)


def _rightly_called(values: np.ndarray, classes: pl.Series) -> tuple[int, int]:
    """How many rows have the most frequent class of their value, a missing one being a value too, and that of all."""
    rows = pl.LazyFrame({"value": values, "class": classes}).group_by("value", "class").len(name="rows")
    pairs = rows.collect(engine="streaming").drop_nulls("class")  # the other engine takes three times as long
    by_value = pairs.group_by("value").agg(pl.col("rows").max())
    by_class = pairs.group_by("class").agg(pl.col("rows").sum())
    return int(by_value["rows"].sum()), by_class.select(pl.col("rows").max()).item()


def _correlation(values: np.ndarray, aim: np.ndarray) -> float:
    """Pearson's, of the rows that have both numbers; 0 where there are few of them or all are equal."""
    pairs = pl.DataFrame({"value": values, "aim": aim}, nan_to_null=True).drop_nulls()
    if pairs.height < _FEWEST_ROWS:
        return 0.0
    found = pairs.select(pl.corr("value", "aim")).item()
    return found if np.isfinite(found) else 0.0
