"""Batch norm and what became of it."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le
from pydantic import model_validator

from api_schemas.catalog.normalization_entry import Epsilon, OutputNormalizationEntry

Momentum = Annotated[float, Gt(0), Le(1)]
Steps = Annotated[int, Ge(0), Le(10**9)]


class BatchNormEntry(OutputNormalizationEntry):
    """Normalises by the batch in training and by running statistics at test time."""

    batch_statistics = True

    momentum: Momentum = 0.1
    """PyTorch's convention: running = (1 - momentum) running + momentum batch. Where a text writes
    p old + (1 - p) new, this is 1 - p. The variance that enters is the unbiased one, over n - 1."""
    eps: Epsilon = 1e-5
    """Added to the variance, within the root. The variance that a batch is divided by is the biased one, over n."""


class BatchNorm(BatchNormEntry):
    """Normalises each feature by its mean and variance over the batch; at test time by running statistics.

    Makes the error surface rounder, so larger learning rates work. With images a channel's statistics are over all
    places too.
    """

    formula = "y = gamma (x - mean_batch) / sqrt(var_batch + eps) + beta; at test time with running mean and variance"
    paper = "Ioffe and Szegedy 2015"
    pitfall = (
        "With small batches the statistics are noise, and training and test disagree: under 16 rows a batch, group "
        "or layer norm is the better choice. The weight before it has no size of its own, so weight decay there only "
        "changes the effective learning rate."
    )
    target = "torch.nn.BatchNorm1d"
    image_target = "torch.nn.BatchNorm2d"

    name: Literal["batch_norm"] = "batch_norm"


class BatchRenorm(BatchNormEntry):
    """Batch norm that is corrected towards its running statistics, so that training and test see the same network.

    For small batches, or batches whose rows resemble each other. It begins as batch norm and relaxes in a straight
    line; the default steps are a fiftieth of the paper's (5,000, 40,000 and 25,000, for ImageNet).
    """

    formula = (
        "y = gamma ((x - mean_batch) / std_batch r + d) + beta,  r = clip(std_batch / std, 1 / r_max, r_max),  "
        "d = clip((mean_batch - mean) / std, -d_max, d_max), both without a gradient;  std = sqrt(var + eps)"
    )
    paper = "Ioffe 2017"
    pitfall = (
        "Relaxed too early, the running statistics are still those of the untrained network, and the loss jumps. The "
        "paper has momentum 0.01 for runs of a hundred thousand steps; a short run's statistics would not arrive."
    )
    target = "training.normalizations.BatchRenorm"

    name: Literal["batch_renorm"] = "batch_renorm"
    momentum: Momentum = 0.1
    """running = (1 - momentum) running + momentum batch, of the mean and of the standard deviation sqrt(var + eps),
    its variance over n."""
    r_max: Annotated[float, Ge(1), Le(1000)] = 3.0
    """How far the scale may be corrected, either way; 1 is batch norm."""
    d_max: Annotated[float, Ge(0), Le(1000)] = 5.0
    """How far the shift may be corrected, in standard deviations; 0 is batch norm."""
    warmup_steps: Steps = 100
    """Steps of plain batch norm at the start."""
    r_max_steps: Steps = 800
    """The step at which r_max is reached."""
    d_max_steps: Steps = 500
    """The step at which d_max is reached."""

    @model_validator(mode="after")
    def _relaxes_after_the_warmup(self) -> BatchRenorm:
        if min(self.r_max_steps, self.d_max_steps) < self.warmup_steps:
            raise ValueError("r_max_steps and d_max_steps cannot be before the end of warmup_steps")
        return self


class GhostBatchNorm(BatchNormEntry):
    """Batch norm over small parts of a large batch, each by its own statistics.

    The noise of small batches regularises; this keeps it where the batch is large for speed. The parts are even and
    have at least the asked number of rows; each one moves the running statistics.
    """

    formula = "y = batch_norm(x_1), ..., batch_norm(x_k) for the k = floor(rows / ghost_rows) parts of the batch"
    paper = "Hoffer, Hubara and Soudry 2017"
    pitfall = "With batches no larger than ghost_rows it is batch norm; with very small ghosts, its noise at its worst."
    target = "training.normalizations.GhostBatchNorm"

    name: Literal["ghost_batch_norm"] = "ghost_batch_norm"
    ghost_rows: Annotated[int, Ge(2), Le(1_000_000)] = 16
    """Rows of a part, at least."""


class SyncBatchNorm(BatchNormEntry):
    """Batch norm over the batches of all devices that train one job together; on one device it is batch norm."""

    formula = "y = gamma (x - mean_all) / sqrt(var_all + eps) + beta, over the batches of all devices"
    paper = "Ioffe and Szegedy 2015; Peng et al. 2018 (MegDet) across devices"
    pitfall = "Every step waits for all devices, twice a layer; with large batches on each, batch norm does as well."
    target = "training.normalizations.SyncBatchNorm"

    name: Literal["sync_batch_norm"] = "sync_batch_norm"
