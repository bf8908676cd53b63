"""How gradients become steps: the optimizer that a job names, on groups of weights, with what its step needs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn

from api_schemas.catalog.optimizers import OptimizerEntry
from training.build import evaluate
from training.gradient import DifferentiableGradient, Gradient, LooseGradient
from training.kernels import stepper
from training.optimizer_state import load_optimizer, optimizer_state

_FUSED_DEVICES = ("cpu", "cuda")

Group = dict[str, Any]
Named = tuple[str, nn.Parameter]


def parameter_groups(
    named: Iterable[tuple[str, nn.Parameter]],
    lr: float,
    layer_rates: Mapping[str, float],
    decay_norms_and_biases: bool = True,
    matrices_flag: str = "",
    other_lr: float | None = None,
) -> list[Group]:
    """Weights in the groups in which an optimizer treats them alike, in the order of each group's first weight.

    Args:
        named: names and weights.
        lr: learning rate where no pattern matches.
        layer_rates: factors of it by pattern over the names, `*` for any characters; the first that matches counts.
        decay_norms_and_biases: whether weights of one dimension keep their weight decay.
        matrices_flag: the key that tells whether a group holds matrices; empty where none asks.
        other_lr: the learning rate of groups that hold none, if it is another one.
    """
    groups: dict[tuple[float, bool, bool], Group] = {}
    for name, weight in named:
        factor = next((factor for pattern, factor in layer_rates.items() if fnmatchcase(name, pattern)), 1.0)
        spared = weight.dim() <= 1 and not decay_norms_and_biases
        matrix = weight.dim() >= 2 and bool(matrices_flag)
        rate = lr if matrix or other_lr is None else other_lr
        settings: Group = {"params": [], "lr": rate * factor}
        settings |= {"weight_decay": 0.0} if spared else {}
        settings |= {matrices_flag: matrix} if matrices_flag else {}
        groups.setdefault((factor, spared, matrix), settings)["params"].append(weight)
    return list(groups.values())


def scale_groups(groups: Sequence[Group], initial: Sequence[Group], factors: Mapping[str, float]) -> None:
    """Set what is scheduled for the coming step: each initial value times its factor; of betas the first.

    Args:
        groups: an optimizer's parameter groups.
        initial: the same groups as they were before the first step.
        factors: by key, such as `lr`; a group without that key is left as it is.
    """
    for group, start in zip(groups, initial, strict=True):
        for key, factor in factors.items():
            value = start.get(key)
            if isinstance(value, tuple):
                group[key] = (value[0] * factor, *value[1:])
            elif value is not None:
                group[key] = value * factor


@contextmanager
def evaluation_weights(optimizer: Any, model: nn.Module) -> Generator[None]:
    """Within it, the weights are where the optimizer wants them judged; afterwards all is as before, bit for bit.

    The optimizer's own way back is only nearly the same, and an evaluation must leave no trace in the training.

    Args:
        optimizer: one with `eval()` and `train()`, such as the schedule-free ones (Defazio et al. 2024).
        model: whose weights it moves.
    """
    before = copy.deepcopy(model.state_dict())
    optimizer.eval()
    try:
        yield
    finally:
        optimizer.train()
        model.load_state_dict(before)


class Optimization:
    """A model's optimizer, two where the named one takes matrices alone.

    Args:
        entry: the optimizer.
        model: whose weights it changes; their `grad` is set up by it.
        decay_norms_and_biases: whether weights of one dimension keep their weight decay.
        layer_rates: factors of the learning rate by pattern over weight names; the first that matches counts.

    Attributes:
        gradient: of the model's weights; in the form that suits the optimizer.
    """

    def __init__(
        self,
        entry: OptimizerEntry,
        model: nn.Module,
        decay_norms_and_biases: bool = True,
        layer_rates: Mapping[str, float] | None = None,
    ) -> None:
        self._entry, self._model = entry, model
        weights = list(model.parameters())
        self._parts = _build_parts(entry, model, decay_norms_and_biases, layer_rates or {})
        _refuse_other_weights(weights, [group for _, optimizer in self._parts for group in optimizer.param_groups])
        scheduled = ("lr", "momentum", "betas", "weight_decay")
        self._initial = [
            [{key: group[key] for key in scheduled if key in group} for group in optimizer.param_groups]
            for _, optimizer in self._parts
        ]
        self.gradient = _gradient_for(entry, weights)
        self._steppers: list[Callable[[], object]] | None = None

    def initial(self, knob: str) -> float:
        """What a schedule of `lr`, `momentum` or `weight_decay` multiplies: the largest among the groups."""
        if knob == "lr":
            return self._entry.rate
        key = _key(self._entry, knob)
        values = [group[key] for group in self._initial[0] if key in group]
        return max(value[0] if isinstance(value, tuple) else value for value in values)

    def schedule(self, factors: Mapping[str, float]) -> None:
        """For the coming step: what the initial `lr`, `momentum` and `weight_decay` are multiplied with."""
        for (entry, optimizer), initial in zip(self._parts, self._initial, strict=True):
            scale_groups(optimizer.param_groups, initial, {_key(entry, knob): by for knob, by in factors.items()})

    def step(self, closure: Callable[[], Tensor | None]) -> None:
        """Change the weights.

        Args:
            closure: computes the loss () and leaves its gradient; it is called at least once, first at the weights
                that the step begins from. None leaves the weights as they are; only where the gradient is all that the
                optimizer needs.
        """
        needs = self._entry.needs
        skipped = needs != "closure" and closure() is None
        for _, optimizer in [] if skipped else self._parts:
            if needs in ("closure", "gradient_and_closure"):
                optimizer.step(torch.enable_grad()(closure))
            else:
                optimizer.step()
        self.gradient.free()

    def take(self) -> None:
        """Change the weights by the gradient that lies at them; the numbers are those of `step`.

        Only where the gradient is all that the optimizer needs.
        """
        if self._steppers is None:
            for _, optimizer in self._parts:
                optimizer.step()
            self._steppers = [stepper(optimizer) for _, optimizer in self._parts]
        else:
            for step in self._steppers:
                step()

    def move(self, gradient: Tensor) -> None:
        """Have the gradient in another vector, as `Gradient.move`; only where it is all that the optimizer needs."""
        if not isinstance(self.gradient, Gradient):
            raise TypeError("this optimizer's gradient lies at each weight by itself")
        self.gradient.move(gradient)
        self._steppers = None

    def evaluating(self) -> AbstractContextManager[None]:
        """A context within which the weights are where the optimizer wants them judged."""
        return evaluation_weights(self._parts[0][1], self._model) if self._entry.switches_mode else nullcontext()

    def state(self) -> list[Any]:
        """What a checkpoint keeps."""
        return [optimizer_state(optimizer) for _, optimizer in self._parts]

    def restore(self, state: Sequence[Any]) -> None:
        """Go on from `state()`."""
        self._steppers = None
        for (_, optimizer), held in zip(self._parts, state, strict=True):
            load_optimizer(optimizer, held)


def build_optimizer(entry: OptimizerEntry, weights: list[nn.Parameter] | list[Group]) -> Any:
    """An optimizer in the quickest form that torch has for these weights: one fused kernel, else foreach.

    Args:
        entry: the optimizer.
        weights: as they are, or in groups.
    """
    tensors = [tensor for item in weights for tensor in (item["params"] if isinstance(item, dict) else [item])]
    fusible = all(w.device.type in _FUSED_DEVICES and w.is_floating_point() for w in tensors)
    form = {"fused": True} if entry.form == "fused" and fusible else {"foreach": True} if entry.form != "plain" else {}
    return evaluate(entry.call(weights, **form))


def _build_parts(
    entry: OptimizerEntry, model: nn.Module, decay_norms_and_biases: bool, layer_rates: Mapping[str, float]
) -> list[tuple[OptimizerEntry, Any]]:
    """Each optimizer with its entry; on one plain list of weights where nothing asks for groups."""
    if entry.takes_model:
        return [(entry, evaluate(entry.call(model)))]
    grouped = bool(layer_rates) or not decay_norms_and_biases
    parts: list[tuple[OptimizerEntry, Any]] = []
    for taker, named in _shares(entry, list(model.named_parameters())):
        weights = [weight for _, weight in named]
        if grouped or taker.matrices_flag:
            flag, other = taker.matrices_flag, taker.other_rate
            weights = parameter_groups(named, taker.rate, layer_rates, decay_norms_and_biases, flag, other)
        parts.append((taker, build_optimizer(taker, weights)))
    return parts


def _shares(entry: OptimizerEntry, named: Sequence[Named]) -> list[tuple[OptimizerEntry, list[Named]]]:
    """Which optimizer takes which weights."""
    if not entry.matrices_only:
        return [(entry, list(named))]
    companion: OptimizerEntry = getattr(entry, "companion")  # noqa: B009 - what `matrices_only` promises
    matrices = [(name, weight) for name, weight in named if weight.dim() == 2]
    others = [(name, weight) for name, weight in named if weight.dim() != 2]
    return [(taker, share) for taker, share in ((entry, matrices), (companion, others)) if share]


def _refuse_other_weights(weights: Sequence[nn.Parameter], groups: Iterable[Group]) -> None:
    taken = [id(weight) for group in groups for weight in group["params"]]
    if sorted(taken) != sorted(id(weight) for weight in weights):
        raise AssertionError("the parameter groups do not account for every weight exactly once")


def _gradient_for(
    entry: OptimizerEntry, weights: Sequence[nn.Parameter]
) -> Gradient | LooseGradient | DifferentiableGradient:
    """One buffer, but for sparse gradients and the optimizers of the library, some of which set `grad` themselves."""
    if entry.needs == "graph":
        return DifferentiableGradient(weights)
    from_library = (entry.target or "").startswith("pytorch_optimizer.")
    loose = from_library or entry.needs == "gradient_and_closure" or entry.innermost.sparse_only
    return LooseGradient(weights) if loose else Gradient(weights)


def _key(entry: OptimizerEntry, knob: str) -> str:
    """What parameter groups call it."""
    return entry.innermost.momentum_knob if knob == "momentum" else knob
