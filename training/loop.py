"""The training loop."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from api_schemas.catalog.schedule_entry import Factors, ScheduleEntry
from api_schemas.jobs import JobSpec, Plan
from api_schemas.plan import batches_per_epoch, input_shape
from training.averaging import WeightAverage, refresh_batch_statistics
from training.build import build_loss, build_model, initialize
from training.checkpoint import digest, load_state, save_state, save_tensors
from training.data.prepare import Data, Part
from training.device import make_deterministic, random_state, set_random_state
from training.evaluation import Patience, evaluate
from training.events import CheckpointDue, Diverged, Evaluation, Happening, Points
from training.gradient import NormHistory
from training.optimization import Optimization
from training.recording import Recording

__all__ = ["CheckpointDue", "Diverged", "Evaluation", "Happening", "Points", "Run"]

_OUTSIDE_THE_NUMBERS = {"name", "tags", "resources"}
"""Fields of a spec that no number of the run depends on."""


class Run:
    """One training, from its seed to its last step; it can be left and taken up at every event.

    Args:
        spec: what to train, as `plan` settled it.
        plan: `api_schemas.plan.make_plan`'s answer.
        data: as `training.data.prepare.prepare` made it from the same spec.
        device: where to train.
    """

    def __init__(self, spec: JobSpec, plan: Plan, data: Data, device: torch.device) -> None:
        if spec.loss is None or len(data.train.y) != plan.train_rows:
            raise ValueError("spec, plan and data do not belong together; take the spec that is in the plan")
        make_deterministic(device)
        torch.manual_seed(spec.training.seed)
        self._spec, self._plan, self._data, self._device = spec, plan, data, device
        dtype = getattr(torch, spec.training.precision)
        self._model = build_model(spec.model, input_shape(spec, data.inputs), data.outputs).to(device, dtype)
        initialize(spec.model, self._model, data.train.x)
        self._weights = list(self._model.parameters())
        self._loss = build_loss(spec.loss, data.class_counts).to(device, dtype)
        training = spec.training
        self._optimization = Optimization(
            spec.optimizer, self._model, training.decay_norms_and_biases, training.layer_rates
        )
        self._gradient = self._optimization.gradient
        percentile = training.gradient_clip_percentile
        self._norms = NormHistory(percentile, self._weights[0]) if percentile is not None else None
        self._average = (
            WeightAverage(training.averaging, self._model, plan.total_steps, plan.steps_per_epoch)
            if training.averaging
            else None
        )
        self._schedules = {
            knob: Factors(pieces, plan.total_steps, plan.steps_per_epoch) for knob, pieces in _scheduled(spec).items()
        }
        self._initial = {knob: self._optimization.initial(knob) for knob in self._schedules}
        self._train, self._validation, self._test = (part.to(device) for part in data.parts)
        self._recording = Recording(self._schedules)
        self._patience = Patience(training.early_stopping) if training.early_stopping else None
        self._random = random_state(device)
        self._evaluated = 0
        self._checkpointed = 0
        self.steps_done = 0

    def events(self, flush_seconds: float = 0.1) -> Iterator[Happening]:
        """Train to the end, and tell.

        Between two events the run stands at the end of a step, and `save` may be called. It draws from its own random
        state, whatever else draws from torch's generators in the meantime.

        Args:
            flush_seconds: how long points may wait to be told; nothing but the cut of the points depends on it.

        Raises:
            Diverged: once the points up to the first value that is not finite have been told.
        """
        set_random_state(self._random, self._device)
        for happening in self._happenings(flush_seconds):
            self._random = random_state(self._device)
            yield happening
            set_random_state(self._random, self._device)

    def save(self, path: Path, owner: str = "") -> None:
        """Write everything that the rest of the run depends on to one file, whole or not at all.

        Args:
            path: the file.
            owner: noted in it, so that equal runs of two owners are two files wherever files go by their digest.

        Raises:
            OSError: when the disk does not take it.
        """
        save_state(path, self._state(), self._identity, owner)

    def restore(self, path: Path) -> None:
        """Stand where `save` was called; the rest of the run is the same, bit for bit, on the same kind of device.

        Raises:
            UnreadableCheckpoint: when the file is damaged or belongs to another run.
        """
        state = load_state(path, self._identity, self._device)
        self._model.load_state_dict(state["model"])
        self._optimization.restore(state["optimizer"])
        for factors, held in zip(self._schedules.values(), state["schedules"], strict=True):
            factors.restore(held)
        if self._norms:
            self._norms.restore(state["norms"])
        if self._average:
            self._average.restore(state["average"])
        self._random = state["random"]
        self.steps_done, self._evaluated, self._checkpointed = state["position"]
        if self._patience:
            self._patience.best, self._patience.waited = state["patience"]

    def save_model(self, path: Path) -> str:
        """Write weights, preparation and spec to one safetensors file.

        Tensors are named `weights/...` and `preparation/...`; the metadata holds `spec` and `preparation` as JSON.

        Returns:
            SHA-256 of the weights, as `training.checkpoint.digest` takes it.
        """
        with self._judged_model() as model:
            return self._save_weights(path, model.state_dict())

    def _save_weights(self, path: Path, weights: dict[str, Tensor]) -> str:
        preparation = self._data.preparation
        tensors = {f"weights/{name}": tensor for name, tensor in weights.items()}
        tensors |= {f"preparation/{name}": torch.from_numpy(array) for name, array in preparation.arrays().items()}
        taken = digest(weights)
        metadata = {
            "format": "anneal-model-1",
            "spec": self._spec.model_dump_json(),
            "preparation": preparation.description.model_dump_json(),
            "weights_sha256": taken,
        }
        save_tensors(path, tensors, metadata)
        return taken

    @property
    def _identity(self) -> str:
        return self._spec.model_dump_json(exclude=_OUTSIDE_THE_NUMBERS)

    def _state(self) -> dict[str, Any]:
        return {
            "model": self._model.state_dict(),
            "optimizer": self._optimization.state(),
            "schedules": [factors.state() for factors in self._schedules.values()],
            "norms": self._norms.state() if self._norms else None,
            "average": self._average.state() if self._average else None,
            "random": self._random,
            "position": (self.steps_done, self._evaluated, self._checkpointed),
            "patience": (self._patience.best, self._patience.waited) if self._patience else None,
        }

    def _happenings(self, flush_seconds: float) -> Iterator[Happening]:
        yield from self._milestones()
        told_at = time.monotonic()
        while not self._finished:
            for batches in self._steps():
                self._step(batches)
                if self._at_milestone or time.monotonic() - told_at >= flush_seconds:
                    yield from self._tell()
                    yield from self._milestones()
                    told_at = time.monotonic()

    def _steps(self) -> list[Sequence[Tensor]]:
        """The batches of each step that is left of this epoch."""
        epoch, done = divmod(self.steps_done, self._plan.steps_per_epoch)
        batches, size = self._batches(epoch), self._spec.training.accumulate_batches
        return [batches[start : start + size] for start in range(done * size, len(batches), size)]

    def _batches(self, epoch: int) -> Sequence[Tensor]:
        """Row numbers (batch,) of each batch of an epoch; their order depends on the seed and the epoch alone."""
        training, rows = self._spec.training, self._plan.train_rows
        rng = np.random.default_rng([training.seed, epoch])
        order = torch.from_numpy(rng.permutation(rows)).to(self._device)
        return order.split(training.batch_size)[: batches_per_epoch(rows, training.batch_size, training.drop_last)]

    def _step(self, batches: Sequence[Tensor]) -> None:
        """One optimizer step on batches of row numbers (batch,); nothing in it waits for the device."""
        factors = {knob: schedule(self.steps_done) for knob, schedule in self._schedules.items()}
        self._optimization.schedule(factors)
        values = [self._initial[knob] * factor for knob, factor in factors.items()]
        longest: list[float | Tensor | None] = []

        def closure() -> Tensor:
            """An optimizer may ask again, at other weights: what is recorded is the first answer."""
            loss = self._descend(batches)
            norm = self._gradient.norm() if longest else self._record(loss, values)
            if not longest:
                longest.append(self._longest(norm))
            self._clip(norm, longest[0])
            return loss

        self._optimization.step(closure)
        self.steps_done += 1
        if self._average:
            self._average.see(self._model, self.steps_done)

    def _descend(self, batches: Sequence[Tensor]) -> Tensor:
        """The loss () of all rows of some batches, its gradient left at the weights."""
        self._gradient.clear()
        rows = sum(len(batch) for batch in batches)
        losses: list[Tensor] = []
        for batch in batches:
            scores = self._model(self._train.x.index_select(0, batch))
            loss = self._loss(scores, self._train.y.index_select(0, batch))
            if len(batches) > 1:
                loss = loss * (len(batch) / rows)
            self._gradient.add(loss)
            losses.append(loss.detach())
        return losses[0] if len(losses) == 1 else torch.stack(losses).sum()

    def _record(self, loss: Tensor, values: Sequence[float]) -> Tensor:
        """Keep what the step measured; returns the gradient's norm (), which clipping needs too."""
        norm = self._gradient.norm()
        self._recording.add(loss, norm, values)
        return norm

    def _longest(self, norm: Tensor) -> float | Tensor | None:
        """The longest gradient that this step lets through."""
        return self._norms.add(norm) if self._norms else self._spec.training.gradient_clip_norm

    def _clip(self, norm: Tensor, longest: float | Tensor | None) -> None:
        if longest is not None:
            self._gradient.shorten(norm, longest)
        elif self._spec.training.gradient_clip_value is not None:
            self._gradient.clamp(self._spec.training.gradient_clip_value)

    def _tell(self) -> Iterator[Points]:
        points, diverged = self._recording.take(self.steps_done)
        yield points
        if diverged:
            raise diverged

    def _milestones(self) -> Iterator[Evaluation | CheckpointDue]:
        """What is due after the steps done so far; each is marked as done before it is told, and so not told twice."""
        if self._evaluation_due and self._evaluated != self.steps_done:
            self._evaluated = self.steps_done
            values = self._evaluate()
            if values:
                yield Evaluation(self.steps_done - 1, values)
        if self._checkpoint_due and self._checkpointed != self.steps_done:
            self._checkpointed = self.steps_done
            yield CheckpointDue(self.steps_done)

    def _evaluate(self) -> dict[str, float]:
        """Judge, and at the end of the run judge by the test rows too.

        Raises:
            Diverged: when the run has ended with weights that are not finite.
        """
        values = self._judge("val", self._validation)
        if self._patience:
            self._patience.see(values)
        for factors in self._schedules.values():
            factors.see(self.steps_done - 1, values)
        if self._finished:
            self._refuse_infinite_weights()
            values |= self._judge("test", self._test)
        return values

    @contextmanager
    def _judged_model(self) -> Generator[nn.Module]:
        """The network as it is judged and kept: with averaged weights, or where its optimizer wants it judged."""
        with self._optimization.evaluating():
            model = self._average.model if self._average and self._average.begun else self._model
            if model is not self._model or self._spec.optimizer.switches_mode:
                refresh_batch_statistics(model, (self._train.x.index_select(0, rows) for rows in self._batches(0)))
            yield model

    def _judge(self, name: str, part: Part) -> dict[str, float]:
        """Loss and metrics of a part's rows by their keys; none where it has no rows."""
        if not len(part.y):
            return {}
        with self._judged_model() as model:
            judged = evaluate(model, self._loss, part, self._data, self._spec.metrics or [])
        return {f"{name}/{key}": value for key, value in judged.items()}

    def _refuse_infinite_weights(self) -> None:
        for weight in self._weights:
            unbounded = weight.detach()[~torch.isfinite(weight)]
            if len(unbounded):
                raise Diverged(self.steps_done - 1, "weights", unbounded[0].item())

    @property
    def _finished(self) -> bool:
        return self.steps_done >= self._plan.total_steps or (self._patience is not None and self._patience.over)

    @property
    def _at_milestone(self) -> bool:
        return self.steps_done == 1 or self._evaluation_due or self._checkpoint_due

    @property
    def _evaluation_due(self) -> bool:
        every = self._plan.steps_per_epoch * self._spec.training.evaluate_every_epochs
        return self.steps_done > 0 and (self.steps_done % every == 0 or self.steps_done == self._plan.total_steps)

    @property
    def _checkpoint_due(self) -> bool:
        return self.steps_done > 0 and self.steps_done % self._spec.training.checkpoint_every_steps == 0


def _scheduled(spec: JobSpec) -> dict[str, Sequence[ScheduleEntry]]:
    """What changes from step to step, by the name of its series."""
    asked = {"lr": spec.schedule, "momentum": spec.momentum_schedule, "weight_decay": spec.weight_decay_schedule}
    return {knob: pieces for knob, pieces in asked.items() if pieces}
