"""Duties that one process has at a time, whoever takes them first."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.database import Database, insert
from storage.migrations import current, newest
from storage.tables import LeaseRow, WorkerRow, database_time
from storage.workers import online

RECONCILE = "reconcile"
"""To put right what dead workers and lost messages left lying."""
SWEEP = "sweep"
"""To delete the files that nothing refers to."""

_PAUSE_SECONDS = 3.0
"""Longer than nobody reconciles while a gateway or a worker is there."""


def take_duty(database: Database, duty: str, owner: str, seconds: float) -> bool:
    """Take a duty for some seconds; False where somebody has it.

    False too where the database has another version's schema: what this code does not know it shall not put right.
    """
    if current(database) != newest():
        return False
    with database.write() as session:
        return take_lease(session, duty, owner, seconds)


def take_lease(session: Session, name: str, owner: str, seconds: float) -> bool:
    """Have for some seconds what one process has at a time; False where somebody has it."""
    changes = {"owner": owner, "until": database_time() + seconds}
    taking = insert(session, LeaseRow).values(name=name, **changes)
    free = LeaseRow.until < database_time()
    won = taking.on_conflict_do_update(index_elements=["name"], set_=changes, where=free)
    return session.scalar(won.returning(LeaseRow.owner)) is not None


def who_is_here(database: Database) -> list[str]:
    """The workers that were heard of within their leases, or that there must be a gateway; for people."""
    with database.read() as session:
        here = session.scalars(online().order_by(WorkerRow.id))
        workers = [f"worker {row.id} (process {row.pid} on {row.host})" for row in here]
        reconciled = LeaseRow.until > database_time() - _PAUSE_SECONDS
        served = session.scalar(select(LeaseRow.name).where(LeaseRow.name == RECONCILE, reconciled))
        return workers or (["a gateway"] if served else [])
