"""A job's log of events, and the changes of state that it consists of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from api_schemas.jobs import HELD, TERMINAL, Event, JobState, Transition
from storage.database import now
from storage.tables import EventRow, JobRow

Data = dict[str, str | int | float | None]


def record(session: Session, job: JobRow, kind: str, data: Data) -> None:
    """Write the job's next event. The caller holds the job's row, so numbers have no gaps and no twins."""
    session.add(_next_event(job, kind, data))


def move(session: Session, job: JobRow, state: JobState, reason: str) -> None:
    """Put the job into a state, and write that it went there."""
    session.add(moved(job, state, reason))


def moved(job: JobRow, state: JobState, reason: str) -> EventRow:
    """Put the job into a state; the caller stores the event that says so."""
    job.state, job.state_reason = state, reason
    if state not in HELD:
        job.lease_until = None
    if state in TERMINAL:
        job.finished_at = now()
    return _next_event(job, "state", {"state": state, "reason": reason})


def _next_event(job: JobRow, kind: str, data: Data) -> EventRow:
    job.events += 1
    job.version += 1
    return EventRow(job_id=job.id, number=job.events, type=kind, at=now(), data=data)


def read_events(session: Session, job_id: str, after: int = 0, limit: int = 1000) -> list[Event]:
    """The job's events whose number is above `after`, oldest first."""
    query = select(EventRow).where(EventRow.job_id == job_id, EventRow.number > after)
    rows = session.scalars(query.order_by(EventRow.number).limit(limit))
    return [Event.model_validate({"id": row.number, "type": row.type, "at": row.at, "data": row.data}) for row in rows]


def read_transitions(session: Session, job_ids: Sequence[str]) -> dict[str, list[Transition]]:
    """The changes of state of several jobs, by job."""
    found: dict[str, list[Transition]] = {job_id: [] for job_id in job_ids}
    query = select(EventRow.job_id, EventRow.at, EventRow.data)
    query = query.where(EventRow.job_id.in_(job_ids), EventRow.type == "state")
    for job_id, at, data in session.execute(query.order_by(EventRow.job_id, EventRow.number)):
        found[job_id].append(transition_of(at, data))
    return found


def transition_of(at: datetime, data: Data) -> Transition:
    """What an event of the type `state` says."""
    return Transition.model_validate({"state": data["state"], "at": at, "reason": data["reason"]})
