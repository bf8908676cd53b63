"""What stands in for a missing value."""

from __future__ import annotations

import numpy as np


def stand_in(present: np.ndarray, how: str) -> float:
    """The mean, the median or the most frequent, the smallest of several, of the values (rows,) that are there.

    Args:
        present: numbers, or codes of categories; at least one.
        how: `mean`, `median` or `most_frequent`.
    """
    if how == "most_frequent":
        found, counts = np.unique(present, return_counts=True)
        return float(found[counts.argmax()])
    return float(np.median(present) if how == "median" else np.mean(present))
