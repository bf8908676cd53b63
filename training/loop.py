"""The training loop."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from api_schemas.catalog.metrics import better
from api_schemas.jobs import JobSpec, Plan
from api_schemas.plan import batches_per_epoch
from api_schemas.trained import trained_network
from training.averaging import WeightAverage, refresh_batch_statistics
from training.best import BestWeights
from training.build import build_loss, initialize
from training.build import evaluate as make
from training.checkpoint import load_state, save_state
from training.data.prepare import Data, Part
from training.device import allow_tf32, exact_products, make_deterministic, random_state, set_random_state
from training.evaluation import Patience, evaluate
from training.events import CheckpointDue, Diverged, Ended, Evaluation, Happening, Points
from training.fused import Group
from training.gradient import Gradient
from training.model_file import save_model
from training.recording import Recording
from training.stacked import stackable
from training.steps import Steps
from training.transfer import take_weights

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
        init: the file of the model or the checkpoint that the spec begins with, if it does.
        alive: called now and then while it judges, which may last.

    Attributes:
        model: the network.
        train: the rows that it learns from, on the device.
        steps: what changes the network's weights.
        steps_done: how far it has come.
        stackable: whether its steps can be taken together with those of other runs, and without autograd.
        generator: what its dropout draws from if it is.
    """

    NO_STEP = (FloatingPointError, torch.linalg.LinAlgError)  # pyright: ignore[reportPrivateImportUsage] - it is public
    """What a step raises that has no solution."""

    def __init__(
        self,
        spec: JobSpec,
        plan: Plan,
        data: Data,
        device: torch.device,
        init: Path | None = None,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        if spec.loss is None or len(data.train.y) != plan.train_rows:
            raise ValueError("spec, plan and data do not belong together; take the spec that is in the plan")
        make_deterministic(device)
        allow_tf32(device, spec.training.precision == "tf32")
        torch.manual_seed(spec.training.seed)
        self._spec, self._plan, self._data, self._device, self._alive = spec, plan, data, device, alive
        dtype = getattr(torch, spec.training.kept_in)
        self.model = make(trained_network(spec, data.shape, data.outputs)).to(device, dtype)
        initialize(spec.model, self.model, data.train.x)
        if spec.init:
            take_weights(self.model, str(init), spec.init.weights)
        self._loss = build_loss(spec.loss, data.class_counts, spec.model).to(device, dtype)
        self.train, self._validation, self._test = (part.to(device) for part in data.parts)
        self.steps = Steps(spec, plan, self.model, self._loss, self.train)
        averaging, stopping = spec.training.averaging, spec.training.early_stopping
        self._average = WeightAverage(averaging, self.model, plan) if averaging else None
        self._recording = Recording(self.steps.scheduled)
        self._patience = Patience(stopping) if stopping else None
        self._best_metric = spec.training.best_metric or "val/loss"
        self._best = BestWeights(better(self._best_metric) == "higher") if spec.training.keep == "best" else None
        self.stackable = self._is_stackable()
        self.generator = torch.Generator(device if self.stackable else "cpu")
        self._random = random_state(device)
        self._evaluated = 0
        self._checkpointed = 0
        self._order: tuple[int, Tensor] | None = None
        self.steps_done = 0

    def events(self, flush_seconds: float = 0.1) -> Iterator[Happening]:
        """Train to the end, and tell.

        Between two events the run stands at the end of a step, and `save` may be called. It draws from its own random
        state, whatever else draws from torch's generators in the meantime.

        Args:
            flush_seconds: how long points may wait to be told; nothing but the cut of the points depends on it.

        Raises:
            Diverged: where a value is not finite, or a step has no solution; all points up to there have been told.
        """
        for _, told in Group([self]).events(flush_seconds):
            if isinstance(told, Diverged):
                raise told
            if not isinstance(told, Ended):
                yield told

    def save(self, path: Path, owner: str = "") -> None:
        """Write everything that the rest of the run depends on to one file, whole or not at all.

        The network's weights as they would be judged now are named in it as in a model's file: the average of the
        weights once there is one, else those where the optimizer wants them judged, else those of the last step.
        Running statistics are as they stand; taking them anew would cost a pass over the data.

        Args:
            path: the file.
            owner: noted in it, so that equal runs of two owners are two files wherever files go by their digest.

        Raises:
            OSError: when the disk does not take it.
        """
        state = self._state()
        save_state(path, state, self._identity, self._judged_weights(state), owner)

    def restore(self, path: Path) -> None:
        """Stand where `save` was called; the rest of the run is the same, bit for bit, on the same kind of device.

        Raises:
            UnreadableCheckpoint: when the file is damaged or belongs to another run.
        """
        state = load_state(path, self._identity, self._device)
        self.model.load_state_dict(state["model"])
        self.steps.restore(state["steps"])
        if self._average:
            self._average.restore(state["average"])
        self._random = state["random"]
        self.steps_done, self._evaluated, self._checkpointed = state["position"]
        if self._patience:
            self._patience.best, self._patience.waited = state["patience"]
        if self._best:
            self._best.restore(state["best"])

    def save_model(self, path: Path) -> str:
        """Write what a prediction needs of a run that has ended, as `training.model_file.save_model` does.

        Returns:
            SHA-256 of the weights.
        """
        with self._kept_model() as model:
            return save_model(path, self._spec, self._data.preparation, model.state_dict())

    @property
    def _identity(self) -> str:
        return self._spec.model_dump_json(exclude=_OUTSIDE_THE_NUMBERS)

    def _state(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "steps": self.steps.state(),
            "average": self._average.state() if self._average else None,
            "random": self._random,
            "position": (self.steps_done, self._evaluated, self._checkpointed),
            "patience": (self._patience.best, self._patience.waited) if self._patience else None,
            "best": self._best.state() if self._best else None,
        }

    def _judged_weights(self, state: Mapping[str, Any]) -> Mapping[str, Tensor]:
        """Those of `_judged_model`, the very tensors of the state where it holds them."""
        if self._average and self._average.begun:
            averaged: Mapping[str, Tensor] = state["average"]
            return {name.removeprefix("module."): held for name, held in averaged.items() if name.startswith("module.")}
        if self._spec.optimizer.switches_mode:
            with self.steps.optimization.evaluating():
                return copy.deepcopy(self.model.state_dict())
        return state["model"]

    @property
    def finished(self) -> bool:
        """Whether no step is left to take."""
        return self.steps_done >= self._plan.total_steps or (self._patience is not None and self._patience.over)

    @property
    def place(self) -> int:
        """How many steps of this epoch are done."""
        return self.steps_done % self._plan.steps_per_epoch

    @property
    def steps_ahead(self) -> int:
        """How many steps there are to the next milestone, or to the end of the epoch if that is nearer."""
        if self.steps_done == 0:
            return 1
        training, epoch = self._spec.training, self._plan.steps_per_epoch
        return min(period - self.steps_done % period for period in (epoch, training.checkpoint_every_steps))

    @property
    def at_milestone(self) -> bool:
        """Whether something is due: the first points, an evaluation or a checkpoint."""
        return self.steps_done == 1 or self._evaluation_due or self._checkpoint_due

    def begin(self) -> Iterator[Happening]:
        """Tell what is due before any further step.

        Raises:
            Diverged: as `tell`.
        """
        yield from self._milestones()

    def tell(self, stuck: Exception | None = None) -> Iterator[Happening]:
        """Tell what the steps since the last call measured, and what is due after them.

        Args:
            stuck: why the last step has no solution.

        Raises:
            Diverged: where a value was not finite, or the last step had no solution.
        """
        if len(self._recording):
            points, diverged = self._recording.take(self.steps_done)
            yield points
            if diverged:
                raise diverged
        if stuck:
            raise Diverged(self.steps_done - 1, f"the optimizer cannot step ({stuck})") from stuck
        yield from self._milestones()

    def order(self) -> Tensor:
        """Row numbers (training rows,) in the order of this epoch, which depends on the seed and the epoch alone."""
        epoch = self.steps_done // self._plan.steps_per_epoch
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, self._order_of(epoch)
        return self._order[1]

    def cut(self, orders: Tensor) -> Sequence[Tensor]:
        """The batches (..., batch) that are left of an epoch whose rows come in this order (..., training rows)."""
        training = self._spec.training
        batches = orders.split(training.batch_size, dim=-1)[: self._batches_an_epoch]
        return batches[self.place * training.accumulate_batches :]

    def take_alone(self, steps: int, until: float) -> dict[Run, Exception]:
        """Take so many steps by autograd, fewer where the monotonic clock is past a time; returns why not another."""
        batches, size = self.cut(self.order()), self._spec.training.accumulate_batches
        set_random_state(self._random, self._device)
        try:
            for start in range(0, steps * size, size):
                step, self.steps_done = self.steps_done, self.steps_done + 1
                self.steps.take(step, batches[start : start + size], self._record)
                self._average_in()
                if time.monotonic() >= until:
                    break
        except self.NO_STEP as error:
            return {self: error}
        finally:
            self._random = random_state(self._device)
        return {}

    def begin_step(self) -> Sequence[float]:
        """Set what is scheduled for a step that is taken together with others', and return it."""
        return self.steps.begin(self.steps_done)

    def end_step(self, loss: Tensor, norm: Tensor, scheduled: Sequence[float]) -> None:
        """Change the weights by the gradient that lies at them.

        Args:
            loss: of the step ().
            norm: of the gradient ().
            scheduled: as `begin_step` gave it.
        """
        self.steps_done += 1
        self._recording.add(loss, norm, scheduled)
        self.steps.end(norm)
        self._average_in()

    @property
    def _batches_an_epoch(self) -> int:
        training = self._spec.training
        return batches_per_epoch(self._plan.train_rows, training.batch_size, training.drop_last)

    @property
    def _random(self) -> dict[str, Tensor]:
        """What the rest of the run's chance depends on, as `random_state` gives it."""
        return self._states | ({self._device.type: self.generator.get_state()} if self.stackable else {})

    @_random.setter
    def _random(self, states: dict[str, Tensor]) -> None:
        self._states = states
        if self.stackable:
            self.generator.set_state(states[self._device.type])

    def _is_stackable(self) -> bool:
        training, gradient = self._spec.training, self.steps.optimization.gradient
        return (
            self._device.type in ("cpu", "cuda")
            and training.engine == "auto"
            and training.precision in ("float32", "float64")
            and training.accumulate_batches == 1
            and self._spec.optimizer.needs == "gradient"
            and isinstance(gradient, Gradient)
            and stackable(self.model)
        )

    def _order_of(self, epoch: int) -> Tensor:
        rng = np.random.default_rng([self._spec.training.seed, epoch])
        return torch.from_numpy(rng.permutation(self._plan.train_rows)).to(self._device)

    def _average_in(self) -> None:
        if self._average:
            self._average.see(self.model, self.steps_done)

    def _record(self, loss: Tensor, values: Sequence[float]) -> Tensor:
        """Keep what the step measured; returns the gradient's norm (), which clipping needs too."""
        norm = self.steps.optimization.gradient.norm()
        self._recording.add(loss, norm, values)
        return norm

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
        if self.finished:
            self._refuse_infinite_weights()

    def _evaluate(self) -> dict[str, float]:
        """Judge, and at the end of the run judge by the test rows too."""
        values = self._judge("val", self._validation, self._judged_model)
        if self._patience:
            self._patience.see(values)
        self.steps.see(self.steps_done - 1, values)
        if self.finished:
            values |= self._judge("test", self._test, self._kept_model)
        return values

    @contextmanager
    def _judged_model(self) -> Generator[nn.Module]:
        """The network as it is judged: with averaged weights, or where its optimizer wants it judged."""
        with exact_products(self._device), self.steps.optimization.evaluating():
            model = self._average.model if self._average and self._average.begun else self.model
            if model is not self.model or self._spec.optimizer.switches_mode:
                refresh_batch_statistics(model, self._first_batches())
            yield model

    def _first_batches(self) -> Iterator[Tensor]:
        """The inputs (batch, ...) of the first epoch."""
        for rows in self._order_of(0).split(self._spec.training.batch_size)[: self._batches_an_epoch]:
            self._alive()
            yield self.train.x.index_select(0, rows)

    @contextmanager
    def _kept_model(self) -> Generator[nn.Module]:
        """The network that comes out of the run once it has ended."""
        if self._best:
            with exact_products(self._device):
                yield self._best.model(self.model)
        else:
            with self._judged_model() as model:
                yield model

    def _judge(
        self, name: str, part: Part, network: Callable[[], AbstractContextManager[nn.Module]]
    ) -> dict[str, float]:
        """Loss and metrics of a part's rows by their keys; none where it has no rows."""
        if not len(part.y):
            return {}
        with network() as model, model.register_forward_pre_hook(self._judges):
            judged = evaluate(model, self._loss, part, self._data, self._spec.metrics or [])
            values = {f"{name}/{key}": value for key, value in judged.items()}
            if self._best and self._best_metric in values:
                self._best.see(values[self._best_metric], model)
        return values

    def _judges(self, _model: nn.Module, _rows: Any) -> None:
        self._alive()

    def _refuse_infinite_weights(self) -> None:
        for weight in self.model.parameters():
            unbounded = weight.detach()[~torch.isfinite(weight)]
            if len(unbounded):
                raise Diverged(self.steps_done - 1, f"a weight is {unbounded[0].item()}")

    @property
    def _evaluation_due(self) -> bool:
        every = self._plan.steps_per_epoch * self._spec.training.evaluate_every_epochs
        return self.steps_done > 0 and (self.steps_done % every == 0 or self.steps_done == self._plan.total_steps)

    @property
    def _checkpoint_due(self) -> bool:
        return self.steps_done > 0 and self.steps_done % self._spec.training.checkpoint_every_steps == 0
