"""An optimizer of the catalog on a surface whose gradient is given, without model or data."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch

from api_schemas.catalog.optimizers import OptimizerEntry
from training.optimization import build_optimizer


def entry_of(**optimizer) -> OptimizerEntry:
    """The entry as a job names it."""
    found = OptimizerEntry.find(optimizer["name"])
    assert found is not None, optimizer["name"]
    return found.model_validate(optimizer)


def descend(
    entry: OptimizerEntry,
    gradient: Callable[[int, torch.Tensor], torch.Tensor],
    start: np.ndarray,
    steps: int,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> np.ndarray:
    """The weight (steps, size) after each step, in float64.

    Args:
        entry: which optimizer.
        gradient: of a step, counted from 0, at a weight.
        start: the weight at first.
        steps: how many.
        bounds: where the weight may be; it is brought back after each step.
    """
    weight = torch.nn.Parameter(torch.tensor(start, dtype=torch.float64))
    optimizer = build_optimizer(entry, [weight])
    path = np.empty((steps, weight.numel()))
    for step in range(steps):
        weight.grad = gradient(step, weight.detach())
        optimizer.step()
        weight.data.clamp_(*bounds)
        path[step] = weight.detach().numpy()
    return path
