"""The steps of a run: loss and gradient of the step's batches, what is scheduled, clipping, and the optimizer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from api_schemas.catalog.schedule_entry import Factors
from api_schemas.catalog.schedules import Constant
from api_schemas.jobs import JobSpec, Plan
from training.data.prepare import Part
from training.gradient import NormHistory
from training.loss_scale import LossScale
from training.losses import ClassLoss, NumberLoss
from training.optimization import Optimization

Record = Callable[[Tensor, Sequence[float]], Tensor]
"""Takes a step's loss () and scheduled values; returns the norm () of its gradient."""


class Steps:
    """Changes a network's weights, step by step, as a job says.

    Args:
        spec: of the job.
        plan: how long the run is.
        model: whose weights change.
        loss: of scores and targets, the mean over the rows, weighted or not.
        train: the rows to learn from, on the model's device.

    Attributes:
        loss: as given.
        optimization: groups of weights and their optimizer.
        scheduled: names of what is recorded beside loss and gradient: what follows a schedule, `lr` first, and
            `loss_scale` where steps may be skipped by it.
    """

    def __init__(self, spec: JobSpec, plan: Plan, model: nn.Module, loss: ClassLoss | NumberLoss, train: Part) -> None:
        self._training, self.loss, self._train = spec.training, loss, train
        # Shapes are fixed: else the program that a batch meets would depend on the batches before it, and a run that is
        # taken up would round otherwise.
        self._forward = torch.compile(model, dynamic=False) if spec.training.engine == "compiled" else model
        self.optimization = Optimization(
            spec.optimizer, model, spec.training.decay_norms_and_biases, spec.training.layer_rates
        )
        asked = {"lr": spec.schedule, "momentum": spec.momentum_schedule, "weight_decay": spec.weight_decay_schedule}
        self._factors = {
            knob: Factors(pieces, plan.total_steps, plan.steps_per_epoch) for knob, pieces in asked.items() if pieces
        }
        self._initial = {knob: self.optimization.initial(knob) for knob in self._factors}
        self._scale = LossScale() if spec.training.precision == "float16" else None
        self._steady = not self._scale and all(
            isinstance(piece, Constant) for pieces in asked.values() for piece in pieces or ()
        )
        self._set: dict[str, float] | None = None
        """The factors that the optimizer's groups have been told."""
        self._values: list[float] = []
        self.scheduled = (*self._factors, *(["loss_scale"] if self._scale else []))
        percentile = spec.training.gradient_clip_percentile
        self._norms = NormHistory(percentile, next(model.parameters())) if percentile is not None else None

    def take(self, step: int, batches: Sequence[Tensor], record: Record) -> None:
        """Take a step; nothing in it waits for the device, but for a loss scale.

        Args:
            step: its number, from 0.
            batches: row numbers (batch,) of each batch; loss and gradient are the mean over the rows of all.
            record: called once, before the gradient is clipped. An optimizer may ask for the loss again, at other
                weights: what is recorded is the first answer.

        Raises:
            FloatingPointError: as `LossScale.allows`.
        """
        values = self.begin(step)
        limits: list[float | Tensor | None] = []

        def closure() -> Tensor | None:
            loss = self._descend(batches)
            norm = self.optimization.gradient.norm() if limits else record(loss, values)
            if self._scale and not self._scale.allows(norm):
                return None
            if not limits:
                limits.append(self._limit(norm))
            self._clip(norm, limits[0])
            return loss

        self.optimization.step(closure)

    def begin(self, step: int) -> Sequence[float]:
        """Set what is scheduled for a step, and return it."""
        if self._set and self._steady:
            return self._values
        factors = {knob: factor(step) for knob, factor in self._factors.items()}
        if factors != self._set:
            self.optimization.schedule(factors)
            self._set, self._values = factors, [self._initial[knob] * factor for knob, factor in factors.items()]
        return [*self._values, self._scale.factor] if self._scale else self._values

    def end(self, norm: Tensor) -> None:
        """Take a step by the gradient that lies at the weights, of this norm (), where an optimizer needs no more."""
        self._clip(norm, self._limit(norm))
        self.optimization.take()

    def see(self, step: int, values: Mapping[str, float]) -> None:
        """Take in an evaluation after a step: a schedule may follow one of its values."""
        for factor in self._factors.values():
            factor.see(step, values)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {
            "optimizer": self.optimization.state(),
            "schedules": [factor.state() for factor in self._factors.values()],
            "norms": self._norms.state() if self._norms else None,
            "scale": self._scale.state() if self._scale else None,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state()`."""
        self.optimization.restore(state["optimizer"])
        self._set = None
        for factor, held in zip(self._factors.values(), state["schedules"], strict=True):
            factor.restore(held)
        if self._norms:
            self._norms.restore(state["norms"])
        if self._scale:
            self._scale.restore(state["scale"])

    def _descend(self, batches: Sequence[Tensor]) -> Tensor:
        """The loss () of all rows of some batches, its gradient left at the weights."""
        scale = self._scale.factor if self._scale else 1.0
        gradient, targets = self.optimization.gradient, [self._train.y.index_select(0, batch) for batch in batches]
        counts = [self.loss.weigh(part) for part in targets] if len(batches) > 1 else [1]
        gradient.clear()
        losses: list[Tensor] = []
        for batch, wanted, count in zip(batches, targets, counts, strict=True):
            loss = self.loss(self._forward(self._train.x.index_select(0, batch)), wanted)
            if len(batches) > 1:
                loss = loss * (count / sum(counts))
            gradient.add(loss if scale == 1 else loss * scale)
            losses.append(loss.detach())
        if scale != 1:
            gradient.multiply(1 / scale)
        return losses[0] if len(losses) == 1 else torch.stack(losses).sum()

    def _limit(self, norm: Tensor) -> float | Tensor | None:
        """The longest gradient that this step lets through; None where its length does not matter."""
        return self._norms.add(norm) if self._norms else self._training.gradient_clip_norm

    def _clip(self, norm: Tensor, limit: float | Tensor | None) -> None:
        if limit is not None:
            self.optimization.gradient.shorten(norm, limit)
        elif self._training.gradient_clip_value is not None:
            self.optimization.gradient.clamp(self._training.gradient_clip_value)
