"""What a run costs, roughly: arithmetic, memory and time."""

from __future__ import annotations

import math

from api_schemas.catalog.flow import entering, leaves
from api_schemas.catalog.layers import InputShape, Layer, multiplications, parameter_count
from api_schemas.jobs import JobSpec

# Measured for a small MLP step in PyTorch on one core: what every step costs, and the arithmetic rate beyond it.
_SECONDS_A_STEP = 5e-4
_FLOPS_A_SECOND = 2e10


def step_flops(spec: JobSpec, network: Layer) -> int:
    """Floating-point operations of a full step.

    Forward a multiplication and an addition for each number of a matrix, and twice as many backward, for the gradients
    of what enters a layer and of its weights; forward once more where activations are computed again. Normalizations,
    activations and the optimizer do not count beside them.
    """
    return _batch_flops(spec, network) * spec.training.accumulate_batches * spec.optimizer.passes


def memory_bytes(spec: JobSpec, network: Layer, shape: InputShape, rows: int) -> int:
    """What a trainer needs beyond PyTorch.

    The data; for each parameter itself, its gradient and two numbers of the optimizer, and one more for an average;
    and what each layer gives for the rows of a batch, which the gradient needs, or the root of it.
    """
    number = 8 if spec.training.kept_in == "float64" else 4
    data = rows * (1 if shape.tokens else shape.width)
    kept = (5 if spec.training.averaging else 4) * parameter_count(network)
    given = [math.prod(axes) for _, axes in leaves(network, entering(shape))]
    # Of n layers, what enters each of some root of n parts, and what one part computes again.
    share = min(1.0, 2 / math.isqrt(len(given))) if spec.training.activation_checkpointing else 1.0
    return number * (data + kept + round(share * sum(given)) * spec.training.batch_size)


def seconds(spec: JobSpec, network: Layer, batches: int) -> float:
    """Time on one core of a run of so many batches an epoch."""
    a_batch = _SECONDS_A_STEP + _batch_flops(spec, network) / _FLOPS_A_SECOND
    return spec.training.epochs * batches * spec.optimizer.passes * a_batch


def _batch_flops(spec: JobSpec, network: Layer) -> int:
    """Of one batch, forward and backward."""
    each = 8 if spec.training.activation_checkpointing else 6
    return each * multiplications(network) * spec.training.batch_size
