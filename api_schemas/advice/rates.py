"""Advice on the optimizer and its learning rate over the run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from pydantic import JsonValue

from api_schemas.advice.prospect import Prospect, Remark, replace
from api_schemas.catalog.optimizers import OptimizerEntry, PlainOptimizerEntry
from api_schemas.catalog.schedule_entry import ScheduleEntry
from api_schemas.catalog.schedules import Cosine, LinearWarmup, Noam

ADAGRAD_STEPS = 10_000
"""With steady gradients Adagrad's step is lr / sqrt(t): after this many steps 1% of the first."""
NO_DECAY_STEPS = 2_000
"""A shorter run is mostly on its way down still; a longer one has time to reach the floor that the noise of the
batches sets, which only a smaller rate lowers."""
WARMUP_SHARE = 0.1
"""Share of the run that a warmup which is longer than the run is given instead."""
_MOST_PIECES = 50
"""Of a schedule."""
_LENGTHS = {"steps", "epochs", "fraction"}


def lr_unusual(prospect: Prospect) -> Remark | None:
    """A learning rate that this optimizer is hardly ever used with."""
    for pointer, entry in _plain("/optimizer", prospect.spec.optimizer):
        low, high = entry.usual_lr
        if not low <= entry.lr <= high:
            message = f"{entry.name} is mostly used with rates from {low:g} to {high:g}, and this is {entry.lr:g}"
            usual: float = min(max(type(entry).model_fields["lr"].default, low), high)
            return Remark(f"{pointer}/lr", message, replace(f"{pointer}/lr", usual))
    return None


def adam_weight_decay(prospect: Prospect) -> Remark | None:
    """Weight decay that goes through Adam's divisor."""
    for pointer, entry in _plain("/optimizer", prospect.spec.optimizer):
        knobs = entry.knobs()
        if entry.name not in {"adam", "nadam", "radam"} or not knobs["weight_decay"]:
            continue
        if knobs.get("decoupled_weight_decay"):
            continue
        message = (
            f"{entry.name} divides this decay by the size of the gradient, so that weights with large gradients "
            "hardly decay; decoupled, as in adamw, it acts on all alike, and takes larger values such as 0.01"
        )
        decoupled = replace(f"{pointer}/decoupled_weight_decay", True)
        fix = replace(f"{pointer}/name", "adamw") if entry.name == "adam" else decoupled
        return Remark(f"{pointer}/weight_decay", message, fix)
    return None


def adagrad_long_run(prospect: Prospect) -> Remark | None:
    """A divisor that never forgets."""
    if prospect.total_steps < ADAGRAD_STEPS:
        return None
    for pointer, entry in _plain("/optimizer", prospect.spec.optimizer):
        if entry.name == "adagrad":
            left = 1 / math.sqrt(prospect.total_steps)
            what = f"its step shrinks by itself, to about {left:.1%} of the first after {prospect.total_steps:,} steps"
        elif entry.name == "adagrad_rms" and not prospect.decays:
            what = "after a long flat stretch its first real gradient makes a step of many times lr"
        else:
            continue
        return Remark(pointer, f"{what}; rmsprop forgets old gradients", replace(pointer, {"name": "rmsprop"}))
    return None


def no_decay_without_batch_norm(prospect: Prospect) -> Remark | None:
    """A constant rate that keeps a long run of plain descent above the noise of its batches.

    Adaptive optimizers divide by the size of that noise, and with batch norm growing weights shrink the step by
    themselves (van Laarhoven 2017).
    """
    if prospect.spec.optimizer.name != "sgd" or prospect.spec.model.uses_batch_statistics or prospect.decays:
        return None
    if prospect.total_steps < NO_DECAY_STEPS or prospect.steps_per_epoch == 1:
        return None
    message = "a rate that never falls keeps the weights moving about the minimum; let it decay at the end"
    return Remark("/schedule", message, replace("/schedule", _ending_in_a_cosine(prospect)))


def warmup_longer_than_run(prospect: Prospect) -> Remark | None:
    """A rise that the run does not live to see the end of."""
    total, first = prospect.total_steps, prospect.spec.schedule[0]
    rise = prospect.pieces[0].length if isinstance(first, LinearWarmup) else 0
    rise = first.warmup if isinstance(first, Noam) else rise
    share = max(1, round(WARMUP_SHARE * total))
    if rise < total or share >= total:
        return None
    message = f"the warmup takes {rise:,} steps and the run has {total:,}: lr is never reached"
    if isinstance(first, Noam):
        shorter = _plain_json(first) | {"warmup": share}
    else:
        shorter = _plain_json(first, open_end=True) | {"fraction": WARMUP_SHARE}
    return Remark("/schedule/0", message, replace("/schedule/0", shorter))


def schedule_longer_than_run(prospect: Prospect) -> Remark | None:
    """Pieces that the run never gets to, or not to the end of."""
    asked = sum(piece.length(prospect.total_steps, prospect.steps_per_epoch) or 0 for piece in prospect.spec.schedule)
    if asked <= prospect.total_steps or warmup_longer_than_run(prospect):
        return None
    message = f"its pieces take {asked:,} steps and the run has {prospect.total_steps:,}; its end is never reached"
    *whole, last = [placed.piece for placed in prospect.pieces if placed.start < prospect.total_steps]
    fitted: list[JsonValue] = [_plain_json(piece) for piece in whole]
    return Remark("/schedule", message, replace("/schedule", [*fitted, _plain_json(last, open_end=True)]))


def _plain(pointer: str, entry: OptimizerEntry) -> Iterator[tuple[str, PlainOptimizerEntry]]:
    """The optimizers that stand alone in this one, it itself or what it wraps, with their pointers."""
    if isinstance(entry, PlainOptimizerEntry):
        yield pointer, entry
    for name in type(entry).model_fields:
        inner = getattr(entry, name)
        if isinstance(inner, OptimizerEntry):
            yield from _plain(f"{pointer}/{name}", inner)


def _ending_in_a_cosine(prospect: Prospect) -> list[JsonValue]:
    """The pieces of the schedule's first half, and a cosine from where they end."""
    half = prospect.total_steps // 2
    kept = [placed for placed in prospect.pieces if placed.start + placed.length <= half][: _MOST_PIECES - 1]
    start = kept[-1].start + kept[-1].length if kept else 0
    fall = Cosine(initial=prospect.factor(start) or 1.0)
    return [_plain_json(piece) for piece in [*(placed.piece for placed in kept), fall]]


def _plain_json(piece: ScheduleEntry, *, open_end: bool = False) -> dict[str, Any]:
    return piece.model_dump(mode="json", exclude_none=True, exclude=_LENGTHS if open_end else None)
