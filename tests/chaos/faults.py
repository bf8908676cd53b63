"""What goes wrong and when, drawn from a seed before anything runs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tests.chaos.stage import LINKS, WORKERS

Kind = Literal["kill", "terminate", "stop", "restart", "forget", "cut", "hang", "delay"]
TRAINERS = tuple(worker.replace("worker", "trainer") for worker in WORKERS)
SHORTEST, LONGEST = 1.0, 5.0
"""Seconds that a server is stopped, or a link is cut, hung or slow; a worker is stopped for longer than its lease."""
_PAUSES = (2.0, 6.0)
"""Seconds from one fault to the next, those of PostgreSQL aside."""
_POSTGRES_PAUSES = (5.0, 40.0)


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong."""

    at: float
    """Seconds after the first job."""
    kind: Kind
    target: str
    """A server, a link, or the trainers of a worker."""
    seconds: float = 0.0
    """How long it lasts; a kill is over at once."""
    pick: float = 0.0
    """Which of the trainers, as a fraction of them."""


@dataclass(frozen=True)
class _Sort:
    """Faults that are drawn alike."""

    kind: Kind
    targets: Sequence[str]
    weight: int


_SORTS = (
    _Sort("kill", WORKERS, 4),
    _Sort("terminate", WORKERS, 2),
    _Sort("stop", WORKERS, 2),
    _Sort("kill", TRAINERS, 6),
    _Sort("terminate", TRAINERS, 2),
    _Sort("stop", TRAINERS, 2),
    _Sort("kill", ["gateway"], 3),
    _Sort("terminate", ["gateway"], 1),
    _Sort("stop", ["gateway"], 1),
    _Sort("kill", ["valkey"], 3),
    _Sort("stop", ["valkey"], 2),
    _Sort("forget", ["valkey"], 3),
    _Sort("cut", LINKS, 4),
    _Sort("hang", LINKS, 3),
    _Sort("delay", LINKS, 3),
)


def schedule(seed: int, seconds: float, lease_seconds: float) -> list[Fault]:
    """The faults of a run, in their order: the same for the same arguments."""
    draw = random.Random(seed)
    return sorted([*_faults(draw, seconds, lease_seconds), *_faults_of_postgres(draw, seconds)], key=lambda one: one.at)


def _faults(draw: random.Random, seconds: float, lease_seconds: float) -> list[Fault]:
    faults: list[Fault] = []
    at = draw.uniform(*_PAUSES)
    while at < seconds:
        sort = draw.choices(_SORTS, [sort.weight for sort in _SORTS])[0]
        target, pick, lasts = draw.choice(sort.targets), draw.random(), draw.uniform(SHORTEST, LONGEST)
        if sort.kind in ("kill", "terminate", "forget"):
            lasts = 0.0
        elif target in WORKERS:
            lasts += lease_seconds
        faults.append(Fault(at, sort.kind, target, lasts, pick))
        at += draw.uniform(*_PAUSES)
    return faults


def _faults_of_postgres(draw: random.Random, seconds: float) -> list[Fault]:
    faults: list[Fault] = []
    at = draw.uniform(*_POSTGRES_PAUSES)
    while at < seconds:
        faults.append(Fault(at, draw.choice(["kill", "restart"]), "postgres"))
        at += draw.uniform(*_POSTGRES_PAUSES)
    return faults
