"""What a job cannot ask of its optimizer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from api_schemas.catalog.optimizers import OptimizerEntry
from api_schemas.catalog.schedule_entry import ScheduleEntry
from api_schemas.errors import Fault
from api_schemas.jobs import JobSpec
from api_schemas.nearest import nearest


def step_faults(spec: JobSpec, total_steps: int, steps_per_epoch: int, weights: Sequence[str]) -> Iterator[Fault]:
    """Each thing that would keep the steps from being what the spec says.

    Args:
        spec: of the job.
        total_steps: of the run.
        steps_per_epoch: what one epoch is in steps.
        weights: names of the network's weights.
    """
    yield from _gradient_faults(spec)
    yield from _precision_faults(spec)
    yield from _engine_faults(spec)
    yield from _schedule_faults(spec)
    yield from _group_faults(spec)
    yield from _pattern_faults(spec, weights)
    yield from _averaging_faults(spec, total_steps, steps_per_epoch)


def _gradient_faults(spec: JobSpec) -> Iterator[Fault]:
    if spec.optimizer.innermost.sparse_only:
        yield Fault(
            pointer="/optimizer/name",
            code="needs_sparse_gradients",
            message=f"{spec.optimizer.innermost.name!r} takes sparse gradients alone, and no model gives such; use "
            "'adam', which is the same for dense ones",
        )


def _precision_faults(spec: JobSpec) -> Iterator[Fault]:
    precision, optimizer = spec.training.precision, spec.optimizer
    if optimizer.innermost.float32_only and spec.training.kept_in != "float32":
        yield Fault(
            pointer="/training/precision",
            code="float32_only",
            message=f"{optimizer.innermost.name!r} cannot train weights of 64 bits; use 'float32'",
        )
    if precision == "float64" and spec.resources.device == "mps":
        yield Fault(
            pointer="/training/precision",
            code="no_float64",
            message="Apple's GPUs have no numbers of 64 bits; use 'float32', or the device 'cpu'",
        )
    if precision == "float16" and optimizer.needs != "gradient":
        yield Fault(
            pointer="/training/precision",
            code="needs_unscaled_loss",
            message=f"float16 takes the gradient of a scaled loss, and {optimizer.name!r} needs more of the loss than "
            "that; use 'bfloat16', or another optimizer",
        )


def _engine_faults(spec: JobSpec) -> Iterator[Fault]:
    if spec.training.engine == "compiled" and spec.optimizer.needs == "graph":
        yield Fault(
            pointer="/training/engine",
            code="needs_second_derivatives",
            message=f"{spec.optimizer.name!r} differentiates the gradient, and a compiled network's has no derivative; "
            "use 'eager', or another optimizer",
        )
    if spec.training.engine == "compiled" and spec.training.activation_checkpointing:
        yield Fault(
            pointer="/training/activation_checkpointing",
            code="compiler_decides",
            message="torch.compile decides by itself what it keeps for the gradient; leave `activation_checkpointing` "
            "out, or use the engine 'eager'",
        )


def _schedule_faults(spec: JobSpec) -> Iterator[Fault]:
    entry = spec.optimizer.innermost
    momentum = _knob(entry, entry.momentum_knob)
    scheduled: list[tuple[str, Sequence[ScheduleEntry] | None, float | None]] = [
        ("momentum", spec.momentum_schedule, momentum),
        ("weight_decay", spec.weight_decay_schedule, _knob(entry, "weight_decay")),
    ]
    for knob, pieces, value in scheduled:
        if pieces and not value:
            why = f"has no {knob} to schedule" if value is None else f"has {knob} 0 here, and every factor leaves it 0"
            yield Fault(pointer=f"/{knob}_schedule", code="nothing_to_schedule", message=f"{entry.name!r} {why}")
    if spec.momentum_schedule and momentum:
        yield from _momentum_faults(spec.momentum_schedule, max(momentum, _companion_momentum(entry)))


def _momentum_faults(pieces: Sequence[ScheduleEntry], momentum: float) -> Iterator[Fault]:
    highest = max(piece.highest for piece in pieces)
    if momentum * highest >= 1:
        yield Fault(
            pointer="/momentum_schedule",
            code="momentum_too_high",
            message=f"a factor of {highest:g} takes the momentum {momentum:g} to {momentum * highest:g}, and it has to "
            f"stay below 1; keep the factors below {1 / momentum:.4g}",
        )


def _companion_momentum(entry: OptimizerEntry) -> float:
    """Of the optimizer beside one for matrices, which follows the same schedule; 0 where there is none."""
    companion: OptimizerEntry | None = getattr(entry, "companion", None)
    return (_knob(companion, companion.momentum_knob) or 0.0) if companion else 0.0


def _knob(entry: OptimizerEntry, key: str) -> float | None:
    """The value of a knob, of betas the first; None where the optimizer has no such knob."""
    value = entry.knobs().get(key)
    return value[0] if isinstance(value, tuple) else value


def _group_faults(spec: JobSpec) -> Iterator[Fault]:
    entry = spec.optimizer.innermost
    if not (entry.one_group or entry.takes_model):
        return
    asked = {
        "layer_rates": bool(spec.training.layer_rates),
        "decay_norms_and_biases": not spec.training.decay_norms_and_biases,
    }
    for field, given in asked.items():
        if given:
            yield Fault(
                pointer=f"/training/{field}",
                code="one_group_only",
                message=f"{entry.name!r} treats all weights alike; leave `{field}` out",
            )


def _pattern_faults(spec: JobSpec, weights: Sequence[str]) -> Iterator[Fault]:
    for pattern in spec.training.layer_rates:
        if not any(fnmatchcase(name, pattern) for name in weights):
            yield Fault(
                pointer=_where_written(spec, pattern),
                code="unknown_weight",
                message=f"no weight has a name like {pattern!r}; {nearest(pattern, weights)}",
            )


def _where_written(spec: JobSpec, pattern: str) -> str:
    """What is frozen is a learning rate of 0 once a spec is settled, and was written elsewhere."""
    if spec.init and pattern in spec.init.freeze:
        return f"/init/freeze/{spec.init.freeze.index(pattern)}"
    return "/training/layer_rates/" + pattern.replace("~", "~0").replace("/", "~1")


def _averaging_faults(spec: JobSpec, total_steps: int, steps_per_epoch: int) -> Iterator[Fault]:
    averaging = spec.training.averaging
    if averaging is None:
        return
    if spec.optimizer.switches_mode:
        yield Fault(
            pointer="/training/averaging",
            code="averages_already",
            message=f"{spec.optimizer.name!r} averages the weights itself; leave `averaging` out",
        )
    first = averaging.first_step(total_steps, steps_per_epoch)
    if first > total_steps:
        yield Fault(
            pointer="/training/averaging",
            code="never_averages",
            message=f"the run has {total_steps} steps, and the average would begin after {first}; start earlier or "
            "average more often",
        )
