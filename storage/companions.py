"""Which jobs that wait are claimed together, to be trained in one slot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, String, Subquery, cast, func, select
from sqlalchemy.orm import Session

from api_schemas.jobs import HELD
from storage.order import due, held_by_project
from storage.tables import JobRow

_MOST_FLOPS = {"cpu": 3e7, "mps": 0.0, "cuda": 1e10}
"""Largest step that is worth being taken together, by device: a core of a CPU is busy with larger ones, a GPU with ones
some hundred times as large; of Apple's nobody knows that the bits are those of alone."""


@dataclass(frozen=True)
class Room:
    """How much a slot may take."""

    slot: int
    slots: int
    """How many its worker has: what waits is shared out among those that train nothing."""
    most: int
    """Most jobs that are trained together."""


def slots_taken(worker_ids: Sequence[str]) -> Select[str | None, int]:
    """In how many slots each worker trains; one that trains nothing is left out."""
    where = func.coalesce(cast(JobRow.slot, String), JobRow.id)
    counted = select(JobRow.worker_id, func.count(where.distinct()))
    return counted.where(JobRow.state.in_(HELD), JobRow.worker_id.in_(worker_ids)).group_by(JobRow.worker_id)


def companions(
    session: Session, best: JobRow, worker_id: str, device: str, room: Room, most_running: int | None
) -> Sequence[str]:
    """The ids of those that are claimed with a job, locked, in the order of the line.

    They are of its queue, priority and readiness to make way, so that nobody waits for a job that matters less.

    Args:
        session: of a transaction that writes; `best` is still queued in it.
        best: the first of them all.
        worker_id: who claims.
        device: what the slot has.
        room: what it may take.
        most_running: most jobs of a project that workers may have.
    """
    if room.most == 1 or best.fuse_key is None or not _gains(best, device):
        return []
    waiting = _alike(best, most_running)
    idle = room.slots - (session.execute(slots_taken([worker_id])).first() or (worker_id, 0))[1]
    count = session.scalar(select(func.count()).select_from(waiting)) or 0
    share = min(room.most, math.ceil(count / max(1, idle)))
    if share <= 1:
        return []
    line = select(JobRow.id).join(waiting, waiting.c.id == JobRow.id).where(JobRow.id != best.id)
    # PostgreSQL passes over what another worker is about to take.
    first = line.order_by(waiting.c.turn, JobRow.id).limit(share - 1).with_for_update(of=JobRow, skip_locked=True)
    return session.scalars(first).all()


def is_small(flops_per_step: float, device: str) -> bool:
    """Whether steps are so small that taking those of several jobs together is faster than one after the other."""
    return flops_per_step <= _MOST_FLOPS[device]


def _gains(job: JobRow, device: str) -> bool:
    there = device if job.device == "auto" else job.device
    return job.flops_per_step is not None and is_small(job.flops_per_step, there)


def _alike(best: JobRow, most_running: int | None) -> Subquery:
    """The jobs that may be trained with one, itself among them, each with its turn: projects take turns."""
    held = held_by_project().subquery()
    turn = func.coalesce(held.c.jobs, 0) + func.row_number().over(partition_by=JobRow.project_id, order_by=JobRow.id)
    alike = (
        select(JobRow.id, turn.label("turn"))
        .outerjoin(held, held.c.project_id == JobRow.project_id)
        .where(
            JobRow.state == "queued",
            JobRow.queue == best.queue,
            JobRow.priority == best.priority,
            JobRow.fuse_key == best.fuse_key,
            JobRow.preemptible == best.preemptible,
            due(),
        )
        .subquery()
    )
    if most_running is None:
        return alike
    return select(alike).where(alike.c.turn <= most_running).subquery()
