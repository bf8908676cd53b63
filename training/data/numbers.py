"""What a column of numbers looks like as a whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

_BINS = 20


@dataclass(frozen=True)
class Summary:
    """Counts and moments of numbers, None where one is beyond float64."""

    distinct: int
    """How many different ones there are."""
    minimum: float | None
    maximum: float | None
    mean: float | None
    std: float | None
    """Of the numbers themselves, not of what they are a sample of."""
    bins: list[int]
    """How many lie in each of as many ranges from the smallest to the largest; none where these are too close."""


def summarise(values: np.ndarray) -> Summary:
    """Look at numbers (rows,): one at least, and no NaN."""
    with np.errstate(over="ignore", invalid="ignore"):
        found = {"minimum": values.min(), "maximum": values.max(), "mean": values.mean(), "std": values.std()}
    known = {name: float(value) if np.isfinite(value) else None for name, value in found.items()}
    return Summary(distinct=_distinct(values), **known, bins=_bins(values, found["minimum"], found["maximum"]))


def _distinct(values: np.ndarray) -> int:
    """How many different ones; their bits are sorted, which takes half of the time that a hash table takes."""
    bits = pl.Series((values + 0.0).view(np.int64))  # -0.0 + 0.0 is 0.0
    return bits.sort(multithreaded=False).n_unique()


def _bins(values: np.ndarray, low: float, high: float) -> list[int]:
    """How many values (rows,) lie in each of as many ranges from low to high; none where these are too close."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        scale = _BINS / (high - low)
    if not 0 < scale < np.inf:
        return []
    counts = np.bincount(((values - low) * scale).astype(np.int8), minlength=_BINS + 1)
    counts[-2] += counts[-1]  # the largest value ends the last range
    return counts[:-1].tolist()
