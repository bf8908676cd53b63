"""What goes wrong and when, drawn from a seed before anything runs."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator, Sequence
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


def schedule(seed: int, lease_seconds: float) -> Iterator[Fault]:
    """The faults of a run in their order, without end: the same for the same arguments."""
    others, postgres = random.Random(seed), random.Random(f"{seed} postgres")
    return heapq.merge(_faults(others, lease_seconds), _faults_of_postgres(postgres), key=lambda fault: fault.at)


def _faults(draw: random.Random, lease_seconds: float) -> Iterator[Fault]:
    at = 0.0
    while True:
        at += draw.uniform(*_PAUSES)
        sort = draw.choices(_SORTS, [sort.weight for sort in _SORTS])[0]
        target, pick, lasts = draw.choice(sort.targets), draw.random(), draw.uniform(SHORTEST, LONGEST)
        if sort.kind in ("kill", "terminate", "forget"):
            lasts = 0.0
        elif target in WORKERS:
            lasts += lease_seconds
        yield Fault(at, sort.kind, target, lasts, pick)


def _faults_of_postgres(draw: random.Random) -> Iterator[Fault]:
    at = 0.0
    while True:
        at += draw.uniform(*_POSTGRES_PAUSES)
        yield Fault(at, draw.choice(["kill", "restart"]), "postgres")
