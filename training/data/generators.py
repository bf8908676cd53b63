"""Datasets that are computed: pure functions of their knobs and a seed."""

from __future__ import annotations

import numpy as np

FloatArray = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
IntArray = np.ndarray[tuple[int, ...], np.dtype[np.int64]]


def spirals(n: int, seed: int, turns: float, noise: float) -> tuple[FloatArray, IntArray]:
    """Two spirals that start at the centre on opposite sides.

    Returns:
        Coordinates (n, 2) within the unit circle before noise, and the spiral of each (n,); an odd row more for 0.

    Source:
        Lang and Witbrock, Learning to tell two spirals apart, 1988.
    """
    rng = np.random.default_rng(seed)
    spiral = np.arange(n) % 2
    radius = np.sqrt(rng.uniform(0.01, 1.0, n))  # the root spreads the rows evenly along the curve
    angle = 2 * np.pi * turns * radius + np.pi * spiral
    points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return points + rng.normal(0.0, noise, (n, 2)), spiral.astype(np.int64)


def badly_scaled(n: int, seed: int, ratio: float, noise: float) -> tuple[FloatArray, FloatArray]:
    """A linear rule in which every feature matters as much and their units do not fit together.

    Returns:
        Features (n, 4), standard deviations in equal steps of a factor from 1 to `ratio`, and targets (n,) of variance
        1 plus noise.
    """
    rng = np.random.default_rng(seed)
    plain = rng.normal(size=(n, 4))
    target = plain @ np.array([0.5, -0.5, 0.5, -0.5]) + rng.normal(0.0, noise, n)
    return plain * np.geomspace(1.0, ratio, 4), target


def rare_event(n: int, seed: int, rare: int, apart: float) -> tuple[FloatArray, IntArray]:
    """Two round clouds of points, of which one has few.

    Returns:
        Coordinates (n, 2) of variance 1 about each cloud's centre, the centres `apart` from each other, and 1 for the
        `rare` rows that are of the small cloud, 0 for the others (n,).
    """
    rng = np.random.default_rng(seed)
    event = np.zeros(n, dtype=np.int64)
    event[rng.choice(n, rare, replace=False)] = 1
    centre = apart * np.array([0.6, 0.8])
    return rng.normal(size=(n, 2)) + event[:, None] * centre, event


def long_valley(n: int, seed: int, ratio: float, noise: float) -> tuple[FloatArray, FloatArray]:
    """A linear rule of two columns that nearly agree, half of the target along what they differ in.

    Returns:
        Features (n, 2), the eigenvalues of whose covariance are 2 and 2 / `ratio`, and targets (n,) of variance 2 plus
        noise.
    """
    rng = np.random.default_rng(seed)
    common, difference = rng.normal(size=(2, n))
    narrow = difference / np.sqrt(ratio)
    return np.stack([common + narrow, common - narrow], axis=1), common + difference + rng.normal(0.0, noise, n)


def bars(n: int, seed: int, noise: float) -> tuple[FloatArray, IntArray]:
    """Images of 8 x 8 pixels, flat, with one bright row or one bright column.

    Returns:
        Images (n, 64), and 0 for a row, 1 for a column (n,); an odd image more with a row.
    """
    rng = np.random.default_rng(seed)
    column = np.arange(n) % 2
    images = np.zeros((n, 8, 8))
    images[np.arange(n), rng.integers(8, size=n)] = 1.0
    images[column == 1] = images[column == 1].transpose(0, 2, 1)
    return (images + rng.normal(0.0, noise, images.shape)).reshape(n, 64), column.astype(np.int64)


def adding(n: int, seed: int, length: int) -> tuple[FloatArray, FloatArray]:
    """Sequences in which two numbers are marked, one in each half.

    Returns:
        Sequences (n, length x 2), flat, a number and its mark a step, and the sums of the marked numbers (n,).

    Source:
        Hochreiter and Schmidhuber, Long short-term memory, 1997.
    """
    rng = np.random.default_rng(seed)
    steps = np.stack([rng.uniform(size=(n, length)), np.zeros((n, length))], axis=2)
    half = length // 2
    for marked in (rng.integers(half, size=n), rng.integers(half, length, size=n)):
        steps[np.arange(n), marked, 1] = 1.0
    return steps.reshape(n, -1), (steps[:, :, 0] * steps[:, :, 1]).sum(axis=1)
