"""Which rows train and which judge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from api_schemas.datasets import Split
from api_schemas.plan import split_sizes


@dataclass(frozen=True)
class Rows:
    """Row numbers of each part, rising."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split_rows(rows: int, split: Split, classes: np.ndarray | None = None) -> Rows:
    """Deal out the rows by chance.

    Args:
        rows: how many there are.
        split: sizes, method and seed; the sizes are exactly those of `api_schemas.plan.split_sizes`.
        classes: class of each row (rows,); needed to stratify, which gives each part every class's share, the odd
            rows by the largest remainder.
    """
    _, validation, test = split_sizes(rows, split.validation, split.test)
    rng = np.random.Generator(np.random.PCG64(split.seed))
    left = rng.permutation(rows)
    if split.method == "stratified" and classes is None:
        raise ValueError("to stratify, the class of each row is needed")
    strata = classes if split.method == "stratified" and classes is not None else np.zeros(rows, dtype=np.int64)
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
