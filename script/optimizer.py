"""The part of a script that makes the optimizer, and what its knobs are at each step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from api_schemas.catalog.call import Call, Name
from api_schemas.catalog.layers import parameter_shapes
from api_schemas.catalog.optimizers import OptimizerEntry
from script.page import Page
from script.schedule import Watch, is_constant, write_schedule
from script.subject import Subject

_OPTIMIZATION = "training.optimization"
_NAMES = {"lr": "learning_rate", "momentum": "momentum", "weight_decay": "weight_decay"}
"""What a script calls the function of the step that a knob follows."""


@dataclass
class Steps:
    """What the training loop has to do for the optimizer."""

    optimizers: list[str]
    """Their variables; two where the named one takes matrices alone."""
    schedule: list[str] = field(default_factory=list[str])
    """Statements that set what is scheduled for the coming `step`."""
    watches: list[Watch] = field(default_factory=list[Watch])
    """Schedule pieces that have to be told of evaluations."""


def write_optimizer(page: Page, subject: Subject) -> Steps:
    """Write the optimizer and the functions that its knobs follow."""
    page.heading("Optimizer")
    parts = list(_parts(subject))
    page.code("\n".join(page.line(f"{variable} = ", call) for variable, _, call in parts))
    steps = Steps([variable for variable, _, _ in parts])
    _write_schedules(page, subject, steps, [entry for _, entry, _ in parts])
    return steps


def _parts(subject: Subject) -> Iterator[tuple[str, OptimizerEntry, Call]]:
    """Each optimizer's variable, its entry and the call that makes it, as `training.optimization` has them."""
    entry = subject.spec.optimizer
    if entry.takes_model:
        yield "optimizer", entry, entry.call(Name("network"))
        return
    if not entry.matrices_only:
        yield "optimizer", entry, _made(subject, entry, None)
        return
    companion: OptimizerEntry = getattr(entry, "companion")  # noqa: B009 - what `matrices_only` promises
    shapes = parameter_shapes(subject.spec.model.network(subject.shape, subject.outputs)).values()
    if any(len(shape) == 2 for shape in shapes):
        yield "optimizer", entry, _made(subject, entry, "==")
    if any(len(shape) != 2 for shape in shapes):
        yield "companion", companion, _made(subject, companion, "!=")


def _made(subject: Subject, entry: OptimizerEntry, matrices: str | None) -> Call:
    """The call of one optimizer on all weights, or on those that are matrices (`==`) or are not (`!=`)."""
    form = {} if entry.form == "plain" else {entry.form: True}
    training = subject.spec.training
    if not _grouped(subject, entry):
        chosen = f"[weight for weight in network.parameters() if weight.dim() {matrices} 2]"
        return entry.call(Name(chosen if matrices else "network.parameters()"), **form)
    named = f"[(name, weight) for name, weight in network.named_parameters() if weight.dim() {matrices} 2]"
    knobs: dict[str, Any] = {"lr": entry.rate, "layer_rates": dict(training.layer_rates)}
    knobs["decay_norms_and_biases"] = training.decay_norms_and_biases
    if entry.matrices_flag:
        knobs |= {"matrices_flag": entry.matrices_flag, "other_lr": entry.other_rate}
    weights = Name(named if matrices else "network.named_parameters()")
    return entry.call(Call(f"{_OPTIMIZATION}.parameter_groups", (weights,), knobs), **form)


def _write_schedules(page: Page, subject: Subject, steps: Steps, entries: list[OptimizerEntry]) -> None:
    spec, plan = subject.spec, subject.plan
    asked = {"lr": spec.schedule, "momentum": spec.momentum_schedule, "weight_decay": spec.weight_decay_schedule}
    scheduled = {knob: pieces for knob, pieces in asked.items() if pieces and not is_constant(pieces)}
    if not scheduled:
        return
    alike = len(entries) == 1 and not _grouped(subject, entries[0])
    for knob, pieces in scheduled.items():
        base = _knob(entries[0], knob) if alike else None
        name = _NAMES[knob] if alike else f"{_NAMES[knob]}_factor"
        meaning = name.replace("_", " ")
        steps.watches += write_schedule(page, name, f"The {meaning} of a step, counted from 0.", base, pieces, plan)
    knobs = list(scheduled)
    steps.schedule += _set_alike(steps, entries, knobs) if alike else _set_by_factor(page, steps, entries, knobs)


def _grouped(subject: Subject, entry: OptimizerEntry) -> bool:
    """Whether an optimizer's weights are in groups that are not treated alike."""
    training = subject.spec.training
    return bool(training.layer_rates or not training.decay_norms_and_biases or entry.matrices_flag or entry.takes_model)


def _knob(entry: OptimizerEntry, knob: str) -> float:
    """What a schedule multiplies."""
    if knob == "lr":
        return entry.rate
    value = entry.knobs()[_key(entry, knob)]
    return value[0] if isinstance(value, tuple) else value


def _key(entry: OptimizerEntry, knob: str) -> str:
    """Where a parameter group keeps it."""
    return entry.momentum_knob if knob == "momentum" else knob


def _set_alike(steps: Steps, entries: list[OptimizerEntry], knobs: list[str]) -> list[str]:
    lines = [f"for group in {steps.optimizers[0]}.param_groups:"]
    for knob in knobs:
        key = _key(entries[0], knob)
        value = f"{_NAMES[knob]}(step)"
        value = f'({value}, *group["betas"][1:])' if key == "betas" else value
        lines.append(f'    group["{key}"] = {value}')
    return lines


def _set_by_factor(page: Page, steps: Steps, entries: list[OptimizerEntry], knobs: list[str]) -> list[str]:
    lines: list[str] = []
    for variable, entry in zip(steps.optimizers, entries, strict=True):
        factors = {_key(entry, knob): Name(f"{_NAMES[knob]}_factor(step)") for knob in knobs}
        groups = (Name(f"{variable}.param_groups"), Name(f"{variable}_initially"), factors)
        lines += page.line("", Call(f"{_OPTIMIZATION}.scale_groups", groups)).splitlines()
    page.code(
        "\n".join(f"{name}_initially = [dict(group) for group in {name}.param_groups]" for name in steps.optimizers)
    )
    return lines
