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
