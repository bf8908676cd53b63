"""Which rows train and which judge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Rows:
    """Row numbers of each part, rising."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split_rows(rows: int, validation: int, test: int, seed: int, strata: np.ndarray | None = None) -> Rows:
    """Deal out the rows by chance.

    Args:
        rows: how many there are.
        validation: how many of them judge during training.
        test: how many judge at the end.
        seed: the same seed makes the same split.
        strata: class of each row (rows,), to give each part every class's share, the odd rows by the largest
            remainder; None for no regard to classes.
    """
    if strata is None:
        strata = np.zeros(rows, dtype=np.int64)
    left = np.random.Generator(np.random.PCG64(seed)).permutation(rows)
    left, held_validation = _hold_out(left, strata, validation)
    left, held_test = _hold_out(left, strata, test)
    return Rows(np.sort(left), np.sort(held_validation), np.sort(held_test))


def _hold_out(left: np.ndarray, strata: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Part shuffled rows into those that stay and `size` that are held out, the first of each stratum."""
    mine = strata[left]
    shares = _shares(np.bincount(mine), size)
    order = np.argsort(mine, kind="stable")
    starts = np.cumsum(np.bincount(mine)) - np.bincount(mine)
    rank = np.empty(len(left), dtype=np.int64)
    rank[order] = np.arange(len(left)) - starts[mine[order]]
    held = rank < shares[mine]
    return left[~held], left[held]


def _shares(counts: np.ndarray, size: int) -> np.ndarray:
    """Whole numbers that sum to `size`, as near to proportional to `counts` as can be."""
    quotas = counts * (size / max(1, counts.sum()))
    shares = np.floor(quotas).astype(np.int64)
    # A tiny tilt towards earlier classes would be rounding's choice; a stable sort makes it ours.
    most = np.argsort(-np.round(quotas - shares, 9), kind="stable")[: size - int(shares.sum())]
    shares[most] += 1
    return shares
