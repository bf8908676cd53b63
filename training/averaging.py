"""Averages of a network's weights, and running statistics for weights that no step was made with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage] - torch has no other name
from torch.optim.swa_utils import AveragedModel

from api_schemas.catalog.averaging import AveragingEntry
from api_schemas.jobs import Plan
from training.build import build


@torch.no_grad()
def refresh_batch_statistics(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Take a network's running statistics anew, as the mean over batches, by the weights that it has now.

    They belong to the weights of the training steps; averaged weights need their own (Izmailov et al. 2018). The rule
    of `torch.optim.swa_utils.update_bn`, with dropout left out, so that nothing random is drawn.

    Args:
        model: its batch norms are those that torch's base class is behind.
        batches: inputs, each (rows, ...).
    """
    norms = {module: module.momentum for module in model.modules() if isinstance(module, _BatchNorm)}
    if not norms:
        return
    was_training = model.training
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    for inputs in batches:
        model(inputs)
    for norm, momentum in norms.items():
        norm.momentum = momentum
    model.train(was_training)


class WeightAverage:
    """A copy of a network whose weights are an average of those that the network had.

    Args:
        entry: which average.
        model: what is averaged.
        plan: how long the run is.
    """

    def __init__(self, entry: AveragingEntry, model: nn.Module, plan: Plan) -> None:
        self._averaged: AveragedModel = build(entry, model)
        self._first = entry.first_step(plan.total_steps, plan.steps_per_epoch)
        self._period = entry.period(plan.steps_per_epoch)

    @property
    def model(self) -> nn.Module:
        """The copy."""
        return self._averaged.module

    @property
    def begun(self) -> bool:
        """Whether any weights are in it."""
        return bool(self._averaged.n_averaged > 0)

    def see(self, model: nn.Module, steps_done: int) -> None:
        """Take in the network's weights where it is their turn."""
        if steps_done >= self._first and steps_done % self._period == 0:
            self._averaged.update_parameters(model)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return self._averaged.state_dict()

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state()`."""
        self._averaged.load_state_dict(state)
