"""Columns that tell the target by themselves, as what is written down only after the fact does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

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
    return [
        Fault(
            pointer=f"/columns/{place}",
            code="leakage_suspect",
            message=f"column {column.name!r} alone {how} {target.name!r}; if it is known only once the target is, set "
            "its role to ignore",
        )
        for place, column in enumerate(columns)
        if column.role == "feature" and _is_plain(column)
        for how in _tells(column, target, arrays)
    ]


def _is_plain(column: Column) -> bool:
    return column.type in ("category", "numeric")


def _tells(column: Column, target: Column, arrays: Mapping[str, np.ndarray]) -> Iterator[str]:
    """How a column tells the target; nothing where it does not."""
    known = _known(target, arrays[target.name])
    values, aim = arrays[column.name][known], arrays[target.name][known]
    few = 1 < column.stats.distinct <= len(aim) / _ROWS_PER_VALUE
    if few and len(target.stats.categories) > 1:
        right, usual = _rightly_called(values, aim)
        if len(aim) - usual >= _FEWEST_TOLD and len(aim) - right <= _MISJUDGED * (len(aim) - usual):
            yield f"tells {right} of {len(aim)} rows the class of"
            return
    if column.type == target.type == "numeric":
        correlation = _correlation(values, aim)
        if abs(correlation) > _CORRELATION:
            yield f"has a correlation of {correlation:.5f} with"


def _known(column: Column, values: np.ndarray) -> np.ndarray:
    return values >= 0 if column.type == "category" else ~np.isnan(values)


def _rightly_called(values: np.ndarray, classes: np.ndarray) -> tuple[int, int]:
    """How many rows have the most frequent class of their value, a missing one being a value too, and that of all."""
    pairs = pl.DataFrame({"value": values, "class": classes}).group_by("value", "class").len(name="rows")
    by_value = pairs.group_by("value").agg(pl.col("rows").max())
    by_class = pairs.group_by("class").agg(pl.col("rows").sum())
    return int(by_value["rows"].sum()), by_class.select(pl.col("rows").max()).item()


def _correlation(values: np.ndarray, aim: np.ndarray) -> float:
    """Pearson's, of the rows that have both numbers; 0 where there are few of them or all are equal."""
    known = ~np.isnan(values)
    if known.sum() < _FEWEST_ROWS:
        return 0.0
    with np.errstate(all="ignore"):
        found = float(np.corrcoef(values[known], aim[known])[0, 1])
    return found if np.isfinite(found) else 0.0
