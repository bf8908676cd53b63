"""Which rows train and which judge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from api_schemas.splits import deal_groups


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


def split_by_time(rows: int, validation: int, test: int, times: np.ndarray | None = None) -> Rows:
    """The earliest rows train, the ones after them validate, the latest test.

    Args:
        rows: how many there are.
        validation: how many of them judge during training.
        test: how many judge at the end.
        times: when each row was (rows,), equal ones in the order of the rows; None for the order of all rows.
    """
    order = np.arange(rows) if times is None else np.argsort(times, kind="stable")
    train, held_validation, held_test = np.split(order, [rows - validation - test, rows - test])
    return Rows(np.sort(train), np.sort(held_validation), np.sort(held_test))


def split_by_group(groups: np.ndarray, validation: float, test: float, seed: int) -> Rows:
    """Deal out whole groups by chance: no group is in two parts.

    Args:
        groups: the group of each row (rows,).
        validation: share of the rows that judge during training.
        test: share of the rows that judge at the end.
        seed: the same seed makes the same split.
    """
    _, firsts, group, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort(
        (firsts, -sizes)
    )  # the largest first, equal ones as they come: what a group is called is no matter
    parts = np.empty(len(sizes), dtype=np.int64)
    parts[order] = deal_groups(sizes[order].tolist(), validation, test, seed)
    return _by_part(parts[group])


def split_by_part(parts: np.ndarray, validation: int, seed: int, strata: np.ndarray | None = None) -> Rows:
    """The parts that are given; where no row is to validate, training rows are dealt out for it.

    Args:
        parts: of each row (rows,): 0 trains, 1 validates, 2 tests.
        validation: how many rows judge during training.
        seed: the same seed makes the same split.
        strata: class of each row (rows,), as in `split_rows`.
    """
    given = _by_part(parts)
    if len(given.validation) or not validation:
        return given
    train = given.train
    dealt = split_rows(len(train), validation, 0, seed, None if strata is None else strata[train])
    return Rows(train[dealt.train], train[dealt.validation], given.test)


def _by_part(parts: np.ndarray) -> Rows:
    train, validation, test = (np.flatnonzero(parts == part) for part in range(3))
    return Rows(train, validation, test)


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
