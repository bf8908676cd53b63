"""Advice on data, network, loss and batches."""

from __future__ import annotations

import math

from api_schemas.advice.prospect import Prospect, Remark, replace
from api_schemas.catalog.models import DeepEntry
from api_schemas.catalog.normalizations import BatchRenorm, LayerNorm

SCALE_RATIO = 100.0
"""Standard deviations this far apart are curvatures 10,000 apart: plain descent takes that much longer along the flat
direction than along the steep one."""
BATCH_NORM_ROWS = 16
"""Below it the error of networks with batch norm grows clearly (Wu and He 2018, figure 1)."""
BATCH_NORM_LAST_ROWS = 4
"""Normalised over fewer rows than this, a feature is little more than its sign."""
FEW_STEPS = 50
"""Adam moves a weight by about lr a step: in 50 steps at 0.001 by 0.05, less than what most weights start with."""
ENOUGH_STEPS = 200
"""What a run of too few steps is made to have."""


def softmax_before_cross_entropy(prospect: Prospect) -> Remark | None:
    """Scores that are squashed twice."""
    bent, loss, pointer = prospect.spec.model.output_activation, prospect.spec.loss, "/model/output_activation"
    if bent is None or bent.name not in ("softmax", "sigmoid") or loss is None or not loss.squashes:
        return None
    message = (
        f"{loss.name} takes the {loss.squashes} of the network's outputs itself: after a {bent.name} it gets scores "
        "between 0 and 1, stays unsure of every row, and its gradient all but vanishes"
    )
    return Remark(pointer, message, replace(pointer, None))


def mse_on_softmax(prospect: Prospect) -> Remark | None:
    """A loss that saturates."""
    if prospect.spec.loss is None or prospect.spec.loss.name != "mse_softmax":
        return None
    message = "where the network is surely wrong this loss has almost no gradient; cross_entropy has"
    return Remark("/loss", message, replace("/loss", {"name": "cross_entropy"}))


def features_not_standardised(prospect: Prospect) -> Remark | None:
    """A ravine that standardising removes."""
    pointer = "/preprocessing/numeric"
    if prospect.spec.preprocessing.numeric.name != "none" or prospect.scale_ratio <= SCALE_RATIO:
        return None
    message = (
        f"the features' standard deviations differ by a factor of {prospect.scale_ratio:,.0f}; the error surface is a "
        "ravine, and a rate low enough for its walls crawls along its floor: standardise"
    )
    return Remark(pointer, message, replace(pointer, {"name": "standard"}))


def batch_norm_small_batch(prospect: Prospect) -> Remark | None:
    """Batch statistics over too few rows."""
    model, pointer, batch = prospect.spec.model, "/training/batch_size", prospect.spec.training.batch_size
    if not isinstance(model, DeepEntry) or not model.uses_batch_statistics:
        return None
    if batch < BATCH_NORM_ROWS and not isinstance(model.normalization, BatchRenorm):  # it is made for them
        message = (
            f"the mean and variance of {batch} rows are mostly noise, and evaluation normalises by others; a "
            "normalization that looks at one row alone does not depend on the batch"
        )
        fits = not model.model_copy(update={"normalization": LayerNorm()}).faults(prospect.shape)
        return Remark(pointer, message, replace("/model/normalization", {"name": "layer_norm" if fits else "none"}))
    if prospect.last_batch_rows < BATCH_NORM_LAST_ROWS:
        message = f"the last batch of an epoch has {prospect.last_batch_rows} rows, too few to normalise by: drop it"
        return Remark(pointer, message, replace("/training/drop_last", True))
    return None


def last_batch_of_one(prospect: Prospect) -> Remark | None:
    """A single row that counts as much as a full batch."""
    if prospect.last_step_rows > 1 or prospect.last_batch_rows == prospect.spec.training.batch_size:
        return None
    message = "the last batch of an epoch is a single row, whose step is as long as that of a full batch: drop it"
    return Remark("/training/batch_size", message, replace("/training/drop_last", True))


def tf32_without_cuda(prospect: Prospect) -> Remark | None:
    """A precision that its device does not know."""
    spec, pointer = prospect.spec, "/training/precision"
    if spec.training.precision != "tf32" or spec.resources.device not in ("cpu", "mps"):
        return None
    message = f"only CUDA GPUs have tf32; on the device {spec.resources.device} it is float32, to the last bit"
    return Remark(pointer, message, replace(pointer, "float32"))


def too_few_steps(prospect: Prospect) -> Remark | None:
    """A run that ends before anything has moved; a step with a closure is many in one."""
    if prospect.total_steps >= FEW_STEPS or prospect.spec.optimizer.needs == "closure":
        return None
    epochs = math.ceil(ENOUGH_STEPS / prospect.steps_per_epoch)
    message = f"in {prospect.total_steps} steps the weights hardly move: take more epochs, or smaller batches"
    return Remark("/training/epochs", message, replace("/training/epochs", epochs))
