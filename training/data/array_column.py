"""A column of arrays: its type, its statistics and its numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from api_schemas.datasets import Column, ColumnStats, ColumnType
from training.data.columns import Choice
from training.data.examples import flat
from training.data.refusal import UnreadableTable

_SHOWN_ROWS = 20
_SHOWN_NUMBERS = 8
_BLOCK_NUMBERS = 1 << 22
"""What is measured at a time: as float64, 32 MiB."""


class ArrayReading:
    """Describes an array (rows, ...) as one column.

    Args:
        name: of the column.
        values: a number each.
        choice: what a person said of it.

    Raises:
        UnreadableTable: when the choice is not for arrays, or a number is not finite.
    """

    type: ColumnType = "array"

    def __init__(self, name: str, values: np.ndarray, choice: Choice) -> None:
        self.name = name
        self._values = values
        self._choice = choice
        if choice.said.type not in (None, "array") or choice.role not in (None, "feature", "ignore"):
            message = f"column {name!r} holds arrays, which are features as they are; choose another, or ignore it"
            raise UnreadableTable("is_array", message, choice.pointer)

    def describe(self) -> Column:
        """The column as the dataset will show it."""
        return Column(name=self.name, type="array", role=self._choice.role or "feature", stats=self._stats())

    @cached_property
    def array(self) -> np.ndarray:
        """The numbers (rows, width), flat in the order of their axes: uint8, float32, or float64 where those lose."""
        return flat(self._values).astype(_kept(self._values.dtype), copy=False)

    @property
    def shown(self) -> pl.Series:
        """The first numbers of the first rows."""
        width = self.array.shape[1]
        more = f" ... ({width:,} numbers)" if width > _SHOWN_NUMBERS else ""
        first = self.array[:_SHOWN_ROWS, :_SHOWN_NUMBERS]
        return pl.Series([" ".join(f"{number:g}" for number in row) + more for row in first])

    def _stats(self) -> ColumnStats:
        lows, highs, sums = zip(*((block.min(), block.max(), block.sum()) for block in self._blocks()), strict=True)
        mean = sum(sums) / self.array.size
        spread = sum(np.square(block - mean).sum() for block in self._blocks())
        return ColumnStats(
            missing=0,
            distinct=0,
            minimum=float(min(lows)),
            maximum=float(max(highs)),
            mean=float(mean),
            std=math.sqrt(spread / self.array.size),
            shape=list(self._values.shape[1:]),
        )

    def _blocks(self) -> Iterator[np.ndarray]:
        """Some rows after the other, as float64.

        Raises:
            UnreadableTable: when a number is not finite.
        """
        rows = max(1, _BLOCK_NUMBERS // self.array.shape[1])
        for first in range(0, len(self.array), rows):
            block = self.array[first : first + rows].astype(np.float64)
            if not np.isfinite(block).all():
                row = first + int(np.isfinite(block).all(axis=1).argmin()) + 1
                message = f"array {self.name!r} holds a number in row {row} that is not finite; leave that row out"
                raise UnreadableTable("not_finite", message)
            yield block


def _kept(dtype: np.dtype[Any]) -> type[np.generic]:
    """The type in which numbers are kept."""
    if dtype.kind == "b" or dtype == np.uint8:
        return np.uint8
    return np.float32 if np.can_cast(dtype, np.float32) else np.float64
