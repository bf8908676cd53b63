"""Rescaling of numbers: each function measures training rows and returns what rescales any rows."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.preprocessing import PowerTransformer, QuantileTransformer


@dataclass(frozen=True)
class Affine:
    """x' = (x - shift) / scale for each column."""

    shift: np.ndarray  # (columns,)
    scale: np.ndarray  # (columns,)

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Rescale rows of shape (rows, columns)."""
        return (values - self.shift) / self.scale

    def inverse(self, values: np.ndarray) -> np.ndarray:
        """Bring rescaled rows of shape (rows, columns) back into their own units."""
        return values * self.scale + self.shift


def identity(columns: int) -> Affine:
    """Leaves every column as it is."""
    return Affine(np.zeros(columns), np.ones(columns))


def standard(values: np.ndarray) -> Affine:
    """Mean 0 and standard deviation 1 for each column of (rows, columns), the deviation over n, not n - 1."""
    constant = values.max(axis=0) == values.min(axis=0)
    # The mean of equal numbers is not always that number: rounding must not become a spread to divide by.
    shift = np.where(constant, values[0], values.mean(axis=0))
    return Affine(shift, np.where(constant, 1.0, values.std(axis=0)))


def minmax(values: np.ndarray, range: tuple[float, float]) -> Affine:  # noqa: A002 - the knob's name in the contract
    """The smallest value of each column of (rows, columns) to the low end of a range, the largest to the high end."""
    low, high = range
    spread = values.max(axis=0) - values.min(axis=0)
    scale = np.where(spread == 0, 1.0, spread) / (high - low)
    return Affine(values.min(axis=0) - low * scale, scale)


def maxabs(values: np.ndarray) -> Affine:
    """The largest size in each column of (rows, columns) becomes 1."""
    largest = np.abs(values).max(axis=0)
    return Affine(np.zeros_like(largest), np.where(largest == 0, 1.0, largest))


def robust(values: np.ndarray, quantile_range: tuple[float, float], unit_variance: bool) -> Affine:
    """Median 0, and the distance of two quantiles 1, for each column of (rows, columns).

    Args:
        values: training rows.
        quantile_range: the two quantiles, in percent.
        unit_variance: scale on, so that normally distributed numbers have variance 1.
    """
    low, high = np.percentile(values, quantile_range, axis=0)
    scale = np.where(high == low, 1.0, high - low)
    if unit_variance:
        normal = NormalDist()
        scale = scale / (normal.inv_cdf(quantile_range[1] / 100) - normal.inv_cdf(quantile_range[0] / 100))
    return Affine(np.median(values, axis=0), scale)


def channel_standard(values: np.ndarray, channels: int) -> Affine:
    """Mean 0 and standard deviation 1 for each channel of pictures (rows, channels x height x width)."""
    pixels = values.reshape(len(values), channels, -1)
    fitted = standard(pixels.transpose(0, 2, 1).reshape(-1, channels))
    return Affine(np.repeat(fitted.shift, pixels.shape[2]), np.repeat(fitted.scale, pixels.shape[2]))


@dataclass(frozen=True)
class Quantiles:
    """Each column by its rank among the training rows, between two quantiles in a straight line."""

    quantiles: np.ndarray  # (quantiles, columns): of the training rows, from the smallest value to the largest
    output: str  # "uniform" or "normal"

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Rescale rows of shape (rows, columns)."""
        return self._transformer().transform(values)

    def inverse(self, values: np.ndarray) -> np.ndarray:
        """Bring rescaled rows of shape (rows, columns) back into their own units."""
        return self._transformer().inverse_transform(values)

    def _transformer(self) -> Any:
        made: Any = QuantileTransformer(n_quantiles=len(self.quantiles), output_distribution=self.output)
        made.quantiles_ = self.quantiles
        made.references_ = np.linspace(0, 1, len(self.quantiles))
        made.n_features_in_ = self.quantiles.shape[1]
        return made


def quantile(values: np.ndarray, n_quantiles: int, output: str) -> Quantiles:
    """Uniform on 0 to 1, or normal, whatever the distribution of each column of (rows, columns)."""
    count = min(n_quantiles, len(values))
    fitted = QuantileTransformer(n_quantiles=count, output_distribution=output, subsample=len(values)).fit(values)
    return Quantiles(np.asarray(fitted.quantiles_), output)


@dataclass(frozen=True)
class Power:
    """A power of each column, then mean 0 and standard deviation 1."""

    exponents: np.ndarray  # (columns,)
    shift: np.ndarray  # (columns,)
    scale: np.ndarray  # (columns,)
    method: str  # "yeo-johnson" or "box-cox"

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Rescale rows of shape (rows, columns).

        Raises:
            ValueError: from box-cox, for a number that is not above 0.
        """
        return (self._transformer().transform(values) - self.shift) / self.scale

    def inverse(self, values: np.ndarray) -> np.ndarray:
        """Bring rescaled rows (rows, columns) back into their own units; NaN for what no number is rescaled to."""
        with warnings.catch_warnings(action="ignore"):  # the NaN says it
            return self._transformer().inverse_transform(values * self.scale + self.shift)

    def _transformer(self) -> Any:
        made: Any = PowerTransformer(method=self.method, standardize=False)
        made.lambdas_ = self.exponents
        made.n_features_in_ = len(self.exponents)
        return made


def power(values: np.ndarray, method: str) -> Power:
    """As near to a normal distribution as a power takes each column of (rows, columns), by maximum likelihood.

    Raises:
        ValueError: from box-cox, for a number that is not above 0.
    """
    exponents = np.ones(values.shape[1])
    varies = values.max(axis=0) > values.min(axis=0)  # of equal numbers no power is the likeliest
    if varies.any():
        fitted = PowerTransformer(method=method, standardize=False).fit(values[:, varies])
        exponents[varies] = fitted.lambdas_
    bent = Power(exponents, np.zeros_like(exponents), np.ones_like(exponents), method).transform(values)
    scaled = standard(bent)
    return Power(exponents, scaled.shift, scaled.scale, method)


@dataclass(frozen=True)
class Whitening:
    """Columns turned onto the principal axes of the training rows and divided by the deviation along each."""

    mean: np.ndarray  # (columns,)
    matrix: np.ndarray  # (columns, columns): the axes as columns, each over its deviation, the widest first

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Rescale rows of shape (rows, columns)."""
        return (values - self.mean) @ self.matrix

    def inverse(self, values: np.ndarray) -> np.ndarray:
        """Bring rescaled rows (rows, columns) back; what lay in a direction without variance is its mean."""
        return values @ np.linalg.pinv(self.matrix) + self.mean


def whiten(values: np.ndarray) -> Whitening:
    """No correlation and variance 1, the variance over n - 1; a direction without variance becomes 0."""
    rows, columns = values.shape
    with np.errstate(invalid="ignore"):  # shares of no variance, which are not used
        fitted: Any = PCA(svd_solver="full").fit(values)
    lengths = fitted.singular_values_  # of the axes, as many as there are rows or columns
    rounding = lengths.max() * max(rows, columns) * np.finfo(values.dtype).eps
    deviations = np.where(lengths > rounding, lengths / np.sqrt(max(1, rows - 1)), np.inf)
    matrix = np.zeros((columns, columns))
    matrix[:, : len(deviations)] = fitted.components_.T / deviations
    return Whitening(fitted.mean_, matrix)
