"""A job's rows, parted as its spec says."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from api_schemas.datasets import Column, Dataset, Split
from api_schemas.splits import named_parts, part_rows
from training.data.split import Rows, split_by_group, split_by_part, split_by_time, split_rows


def split_dataset(
    split: Split,
    dataset: Dataset | None,
    arrays: Mapping[str, np.ndarray] | None,
    rows: int,
    strata: np.ndarray | None,
) -> Rows:
    """Row numbers of each part, as many as `api_schemas.splits.part_rows` says.

    Args:
        split: as `api_schemas.plan.make_plan` settled it.
        dataset: the upload; None for a dataset named by name.
        arrays: its columns.
        rows: how many there are.
        strata: classes (rows,) that a split may keep the shares of; None where there are none.
    """
    columns = dataset.columns if dataset else []
    column = next((column for column in columns if column.name == split.column), None)
    values = arrays[column.name] if arrays is not None and column else None
    if split.method == "grouped" and values is not None:
        return split_by_group(values, split.validation, split.test, split.seed)
    _, validation, test = part_rows(split, columns, rows)
    if split.method == "time":
        return split_by_time(rows, validation, test, values)
    if split.method == "column" and column and values is not None:
        return split_by_part(_given_parts(column, values, split), validation, split.seed, strata)
    return split_rows(rows, validation, test, split.seed, strata if split.method == "stratified" else None)


def codes_of(column: Column, values: np.ndarray) -> np.ndarray:
    """The place of each value (rows,) among the column's categories, from its codes or its numbers (rows,)."""
    if column.type == "category":
        return values.astype(np.int64)
    return np.searchsorted(np.array(column.stats.categories, dtype=np.float64), values).astype(np.int64)


def _given_parts(column: Column, values: np.ndarray, split: Split) -> np.ndarray:
    return np.array(named_parts(column.stats.categories, split.parts))[codes_of(column, values)]
