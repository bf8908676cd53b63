"""Preemption: which job makes way for a waiting one of higher priority.

Nobody schedules. Each attempt that may be interrupted asks whether it is the one, and all come to the same answer: of
the jobs whose worker could take the waiting one, that of the lowest priority, and of those the youngest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from api_schemas.workers import devices_of
from storage.attempts import Lease
from storage.companions import slots_taken
from storage.database import Database
from storage.duties import take_lease
from storage.order import in_order
from storage.tables import JobRow, LeaseRow, WorkerRow, database_time
from storage.workers import online


@dataclass(frozen=True)
class _Urgent:
    """A waiting job for which another may have to make way."""

    id: str
    project: str
    queue: str
    device: str
    priority: int


_WAY = "way for "
"""Begins the names of the leases by which a job makes way, so that no two do for the same one."""


def make_way(
    database: Database,
    lease: Lease,
    queues: Sequence[str],
    devices: Sequence[str],
    seconds: float,
    most_running: int | None = None,
) -> str | None:
    """Why an attempt shall free its slot now; None where it may go on.

    Args:
        database: where the jobs are.
        lease: of an attempt that may be interrupted.
        queues: that its worker serves.
        devices: what jobs can run on in its slot.
        seconds: how long it may take; only then another job makes way for the same one.
        most_running: most jobs of a project that workers may have.
    """
    with database.read() as session:
        if _first_above(session, lease, queues, devices, most_running) is None:
            return None
    with database.write() as session:
        urgent = _first_above(session, lease, queues, devices, most_running)
        if urgent is None or _who_makes_way(session, urgent) != lease.job_id:
            return None
        if not take_lease(session, _WAY + urgent.id, lease.job_id, seconds):
            return None
        return f"made way for {_name(session, urgent, lease.job_id)}; waiting for a worker"


def forget_ways(session: Session) -> None:
    """Delete the leases by which jobs made way, once they are over."""
    over = select(LeaseRow).where(LeaseRow.name.startswith(_WAY), LeaseRow.until < database_time())
    for way in session.scalars(over):
        session.delete(way)


def _first_above(
    session: Session, lease: Lease, queues: Sequence[str], devices: Sequence[str], most_running: int | None
) -> _Urgent | None:
    """The first in the line that the attempt's slot could take, of higher priority, for which nobody makes way yet."""
    mine = select(JobRow.priority, JobRow.project_id).where(
        JobRow.id == lease.job_id, JobRow.attempt == lease.attempt, JobRow.state == "running"
    )
    found = session.execute(mine).one_or_none()
    if found is None:
        return None
    awaited = select(func.substr(LeaseRow.name, len(_WAY) + 1)).where(_being_made())
    line = in_order(queues, devices, most_running, leaving=found.project_id)
    above = line.where(JobRow.priority > found.priority, JobRow.id.not_in(awaited)).limit(1)
    columns = (JobRow.id, JobRow.project_id, JobRow.queue, JobRow.device, JobRow.priority)
    first = session.execute(above.with_only_columns(*columns)).one_or_none()
    return None if first is None else _Urgent(*first)


def _who_makes_way(session: Session, urgent: _Urgent) -> str | None:
    """The job that does; None where a slot is free, or none may be interrupted."""
    able = _able_workers(session, urgent)
    taken = dict(session.execute(slots_taken([worker.id for worker in able])).all())
    if any(worker.slots > taken.get(worker.id, 0) for worker in able):
        return None
    candidates = select(JobRow.id).where(
        JobRow.state == "running",
        JobRow.preemptible,
        JobRow.priority < urgent.priority,
        JobRow.worker_id.in_([worker.id for worker in able]),
        JobRow.id.not_in(select(LeaseRow.owner).where(_being_made())),
    )
    return session.scalar(candidates.order_by(JobRow.priority, JobRow.id.desc()).limit(1))


def _able_workers(session: Session, job: _Urgent) -> list[WorkerRow]:
    """The workers online that could take a job."""
    return [
        worker
        for worker in session.scalars(online())
        if job.queue in worker.queues and job.device in ("auto", *devices_of(worker.device))
    ]


def _being_made() -> ColumnElement[bool]:
    """Whether a lease is one by which a job makes way just now."""
    return LeaseRow.name.startswith(_WAY) & (LeaseRow.until > database_time())


def _name(session: Session, urgent: _Urgent, victim: str) -> str:
    """The urgent job as the other's owner may hear of it; other projects' jobs have no names here."""
    project = session.scalar(select(JobRow.project_id).where(JobRow.id == victim))
    return f"{urgent.id}, whose priority is higher" if urgent.project == project else "a job of higher priority"
