"""The normalizations inside a network."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from annotated_types import Gt, Le

from api_schemas.catalog.entry import Entry, OneOf


class NormalizationEntry(Entry):
    """Rescales the outputs of a layer, so that the layer after it sees inputs of a steady size."""

    kind = "normalizations"
    batch_statistics: ClassVar[bool] = False
    """Whether training uses the statistics of the batch; such a one cannot take a batch of a single row."""
    weights_per_feature: ClassVar[int] = 0
    """How many learned numbers it has for each feature."""


class NoNormalization(NormalizationEntry):
    """Leaves the layer's outputs as they are."""

    formula = "y = x"
    name: Literal["none"] = "none"


class BatchNorm(NormalizationEntry):
    """Normalises each feature by its mean and variance over the batch; at test time by running statistics.

    Makes the error surface rounder, so larger learning rates work. With small batches the statistics are noise, and
    train and test disagree: under 16 rows a batch, layer norm is the better choice.
    """

    formula = "y = gamma (x - mean_batch) / sqrt(var_batch + eps) + beta; at test time with running mean and variance"
    paper = "Ioffe and Szegedy 2015"
    target = "torch.nn.BatchNorm1d"
    batch_statistics = True
    weights_per_feature = 2

    name: Literal["batch_norm"] = "batch_norm"
    momentum: Annotated[float, Gt(0), Le(1)] = 0.1
    """PyTorch's convention: running = (1 - momentum) running + momentum batch. Where a text writes
    p old + (1 - p) new, this is 1 - p."""
    eps: Annotated[float, Gt(0), Le(1)] = 1e-5
    """Added to the variance."""


class LayerNorm(NormalizationEntry):
    """Normalises each row by the mean and variance over its own features; the same in training and at test time."""

    formula = "y = gamma (x - mean_row) / sqrt(var_row + eps) + beta"
    paper = "Ba, Kiros and Hinton 2016"
    target = "torch.nn.LayerNorm"
    weights_per_feature = 2

    name: Literal["layer_norm"] = "layer_norm"
    eps: Annotated[float, Gt(0), Le(1)] = 1e-5
    """Added to the variance."""


Normalization = Annotated[NormalizationEntry, OneOf(NormalizationEntry)]
