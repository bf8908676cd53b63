"""Workers: who is there, on what device, training what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, delete, select, update

from api_schemas.jobs import HELD
from api_schemas.workers import Device, Worker
from storage.database import Database, now
from storage.tables import JobRow, WorkerRow, database_time

_FORGOTTEN_AFTER_SECONDS = 3600


@dataclass(frozen=True)
class WorkerIdentity:
    """What a worker says of itself."""

    id: str
    host: str
    pid: int
    device: Device
    slots: int
    queues: Sequence[str]


def arrive(database: Database, worker: WorkerIdentity, lease_seconds: float) -> None:
    """Say that a worker is there."""
    with database.write() as session:
        session.add(
            WorkerRow(
                id=worker.id,
                host=worker.host,
                pid=worker.pid,
                device=worker.device,
                slots=worker.slots,
                queues=list(worker.queues),
                started_at=now(),
                seen_at=now(),
                lease_until=database_time() + lease_seconds,
            )
        )


def stay(database: Database, worker: WorkerIdentity, lease_seconds: float) -> bool:
    """Say that a worker is still there; False where it was silent for so long that it is forgotten."""
    with database.write() as session:
        seen = update(WorkerRow).where(WorkerRow.id == worker.id).returning(WorkerRow.id)
        found = session.scalar(seen.values(seen_at=now(), lease_until=database_time() + lease_seconds))
        return found is not None


def leave(database: Database, worker_id: str) -> None:
    """Say that a worker is gone."""
    with database.write() as session:
        session.execute(delete(WorkerRow).where(WorkerRow.id == worker_id))


def online() -> Select[WorkerRow]:
    """The workers that were heard of within their leases."""
    return select(WorkerRow).where(WorkerRow.lease_until > database_time())


def forget_lost(database: Database) -> None:
    """Delete workers that have not been heard of for an hour."""
    with database.write() as session:
        silent = WorkerRow.lease_until < database_time() - _FORGOTTEN_AFTER_SECONDS
        session.execute(delete(WorkerRow).where(silent))


def list_workers(database: Database, project: str) -> list[Worker]:
    """All workers, oldest first; of what they train, only what the project owns is named."""
    with database.read() as session:
        jobs: dict[str, list[str]] = defaultdict(list)
        held = select(JobRow.worker_id, JobRow.id).where(JobRow.state.in_(HELD), JobRow.project_id == project)
        for worker_id, job_id in session.execute(held):
            jobs[worker_id or ""].append(job_id)
        query = select(WorkerRow, WorkerRow.lease_until > database_time()).order_by(WorkerRow.id)
        return [_worker(row, jobs[row.id], bool(online)) for row, online in session.execute(query)]


def _worker(row: WorkerRow, jobs: list[str], online: bool) -> Worker:
    return Worker.model_validate(
        {
            "id": row.id,
            "host": row.host,
            "pid": row.pid,
            "device": row.device,
            "slots": row.slots,
            "queues": row.queues,
            "jobs": jobs,
            "started_at": row.started_at,
            "seen_at": row.seen_at,
            "online": online,
        }
    )
