"""Memory that does not suffice: how that is noticed, what would fit, and what is said of it."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path

from api_schemas.datasets import Dataset
from api_schemas.errors import InvalidRequest
from api_schemas.jobs import JobError, JobSpec, Plan, Training
from api_schemas.plan import make_plan
from worker.messages import OutOfMemory

_MOST_BATCHES = 10_000
"""A step cannot have more."""
_ASKED = re.compile(r"allocate ([\d.]+) (bytes|[KMGTPE]iB)")
"""How PyTorch and NumPy say what they did not get."""
_UNITS = {"bytes": 1} | {f"{letter}iB": 1 << 10 * power for power, letter in enumerate("KMGTPE", start=1)}


def room(most_bytes: int | None) -> int | None:
    """How much more this process may take, or could if the machine were its own; None where no system tells."""
    try:
        taken = int(Path("/proc/self/statm").read_text().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None
    return (most_bytes or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")) - taken


def asked_for(error: BaseException) -> int | None:
    """How many bytes an error says that there were none for."""
    found = _ASKED.search(str(error))
    return int(float(found[1]) * _UNITS[found[2]]) if found else None


def plan_that_fits(spec: JobSpec, dataset: Dataset | None, room_bytes: int | None) -> Plan | None:
    """The same steps in smaller batches: the largest, of half the rows at most, that are thought to fit.

    Args:
        spec: of the job that did not fit, settled.
        dataset: the upload that it names.
        room_bytes: what there is for it beyond PyTorch itself; None where that is not known.

    Returns:
        What would run; with the smallest batches where none is thought to fit, and None where there are none smaller.
    """
    plan = None
    for training in _smaller(spec.training):
        try:
            plan = make_plan(spec.model_copy(update={"training": training}), dataset)
        except InvalidRequest:  # such as a normalization that needs two rows
            continue
        if room_bytes is None or plan.memory_bytes <= room_bytes:
            break
    return plan


def out_of_memory(told: OutOfMemory, spec: JobSpec, plan: Plan | None) -> JobError:
    """What a person is told.

    Args:
        told: by the trainer.
        spec: that did not fit.
        plan: `plan_that_fits`.
    """
    asked = f"{_bytes(told.asked_bytes)} more were asked for" if told.asked_bytes else told.reason[:200]
    of = f", where there are {_bytes(told.room_bytes)} for a training" if told.room_bytes else ""
    return JobError(code="out_of_memory", message=f"out of memory: {asked}{of}", hint=_less_memory(spec, plan))


def batches(training: Training) -> str:
    """What a step goes through, in words."""
    return f"batches of {training.batch_size}, {training.accumulate_batches} a step"


def _less_memory(spec: JobSpec, plan: Plan | None) -> str:
    """What to change, what changes the run least first."""
    ways: list[str] = []
    if plan is not None:
        ways.append(
            f"set training.batch_size to {plan.spec.training.batch_size} and accumulate_batches to "
            f"{plan.spec.training.accumulate_batches}, for the same steps in about {_bytes(plan.memory_bytes)}, which "
            "resources.out_of_memory: smaller_batch does by itself"
        )
    if not spec.training.activation_checkpointing:
        ways.append("set training.activation_checkpointing, which changes no number")
    return "; or ".join([*ways, "use a smaller network"])


def _smaller(training: Training) -> Iterator[Training]:
    """All ways to share the rows of a batch out among equal parts, the largest parts first."""
    size, batches = training.batch_size, training.accumulate_batches
    for parts in range(2, min(size, _MOST_BATCHES // batches) + 1):
        if size % parts == 0:
            yield training.model_copy(update={"batch_size": size // parts, "accumulate_batches": batches * parts})


def _bytes(count: int) -> str:
    """A count of bytes for people."""
    power = min(4, int(math.log(max(count, 1), 1000)))
    return f"{count / 1000**power:.1f} {('bytes', 'kB', 'MB', 'GB', 'TB')[power]}"
