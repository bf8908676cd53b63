"""Rescaling of numbers, fitted on training rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Affine:
    """A fitted rescaling: x' = (x - shift) / scale for each column."""

    shift: np.ndarray  # (columns,)
    scale: np.ndarray  # (columns,)

    @classmethod
    def identity(cls, columns: int) -> Affine:
        """Leaves every column as it is."""
        return cls(np.zeros(columns), np.ones(columns))

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Rescale rows of shape (rows, columns)."""
        return (values - self.shift) / self.scale

    def inverse(self, values: np.ndarray) -> np.ndarray:
        """Bring rescaled rows of shape (rows, columns) back into their own units."""
        return values * self.scale + self.shift


class Standard:
    """Mean 0 and standard deviation 1, the deviation over n, not n - 1."""

    def fit(self, values: np.ndarray) -> Affine:
        """Measure the columns of training rows of shape (rows, columns)."""
        constant = values.max(axis=0) == values.min(axis=0)
        # The mean of equal numbers is not always that number: rounding must not become a spread to divide by.
        shift = np.where(constant, values[0], values.mean(axis=0))
        return Affine(shift, np.where(constant, 1.0, values.std(axis=0)))


class MinMax:
    """The smallest training value goes to the low end of a range, the largest to the high end."""

    def __init__(self, range: tuple[float, float]) -> None:  # noqa: A002 - the knob's name in the contract
        self._low, self._high = range

    def fit(self, values: np.ndarray) -> Affine:
        """Measure the columns of training rows of shape (rows, columns)."""
        spread = values.max(axis=0) - values.min(axis=0)
        scale = np.where(spread == 0, 1.0, spread) / (self._high - self._low)
        return Affine(values.min(axis=0) - self._low * scale, scale)
