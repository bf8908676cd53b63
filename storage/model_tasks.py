"""What workers are asked to do with models: the row, its claim by a worker, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Select, delete, select, update
from sqlalchemy.orm import Session

from api_schemas.errors import Conflict, Fault
from api_schemas.ids import new_id
from api_schemas.jobs import TERMINAL
from api_schemas.model_tasks import Asked, Export, ModelTaskState
from api_schemas.predictions import Prediction
from storage.artifacts import Artifact
from storage.database import Database, fetch, now
from storage.tables import JobRow, ModelTaskRow, database_time, unheld

LIFETIME = timedelta(hours=1)
"""How long predictions are kept; an export is kept with its job."""
MOST_ATTEMPTS = 2
"""How often a task may kill the process that does it."""

Outcome = Prediction | Artifact | list[Fault]
"""Predictions of rows, a stored file, or why there is neither."""


@dataclass(frozen=True)
class ModelTask:
    """A task as whoever asked for it sees it."""

    id: str
    version: int
    job_id: str
    asked: Asked
    state: ModelTaskState
    prediction: Prediction | None
    result: Artifact | None
    faults: list[Fault]


@dataclass(frozen=True)
class ClaimedTask:
    """A task that a worker got."""

    id: str
    attempt: int
    job_id: str
    asked: Asked
    model_sha256: str


def model_of(database: Database, project: str, job_id: str) -> str:
    """Where the model of a job is stored.

    Raises:
        NotFound: this project has no such job.
        Conflict: it has no model, or none yet.
    """
    with database.read() as session:
        return require_model(fetch(session, JobRow, project, job_id))


def ask(database: Database, project: str, job_id: str, asked: Asked) -> ModelTask:
    """Store a task; a job's export in a format is made once, and again only where it failed.

    Raises:
        NotFound: this project has no such job.
        Conflict: the job has no model, or none yet.
    """
    with database.write() as session:
        job = fetch(session, JobRow, project, job_id, lock=isinstance(asked, Export))
        require_model(job)
        if isinstance(asked, Export) and (kept := _export(session, job.id, asked.format)):
            return _task_of(kept)
        row = ModelTaskRow(
            id=new_id("task"),
            project_id=project,
            version=1,
            job_id=job.id,
            asked=asked,
            export=asked.format if isinstance(asked, Export) else None,
            created_at=now(),
            state="waiting",
            faults=[],
            attempt=0,
        )
        session.add(row)
        session.flush()
        return _task_of(row)


def get_task(database: Database, project: str, task_id: str) -> ModelTask:
    """One task.

    Raises:
        NotFound: this project has no such task, or its answer was kept for long enough.
    """
    with database.read() as session:
        return _task_of(fetch(session, ModelTaskRow, project, task_id))


def claim_task(database: Database, task_id: str, lease_seconds: float) -> ClaimedTask | None:
    """Take a task; None where another worker has it or it is done."""
    with database.write() as session:
        query = _free().where(ModelTaskRow.id == task_id).with_for_update(skip_locked=True)
        row = session.scalar(query)
        if row is None:
            return None
        row.attempt += 1
        job = session.get_one(JobRow, row.job_id)
        if row.attempt > MOST_ATTEMPTS or job.model_sha256 is None:
            _fail(row, [Fault(pointer="", code="failed", message="the process that did it died each time")])
            return None
        session.flush()
        taken = update(ModelTaskRow).where(ModelTaskRow.id == row.id)
        session.execute(taken.values(lease_until=database_time() + lease_seconds))
        return ClaimedTask(row.id, row.attempt, row.job_id, row.asked, job.model_sha256)


def finish_task(database: Database, claimed: ClaimedTask, outcome: Outcome) -> None:
    """Store what came of a task; one that was given to another worker is ignored."""
    with database.write() as session:
        query = select(ModelTaskRow).where(
            ModelTaskRow.id == claimed.id, ModelTaskRow.attempt == claimed.attempt, ModelTaskRow.state == "waiting"
        )
        row = session.scalar(query.with_for_update())
        if row is None:
            return
        if isinstance(outcome, list):
            _fail(row, outcome)
            return
        row.state, row.lease_until, row.version = "done", None, row.version + 1
        if isinstance(outcome, Prediction):
            row.prediction = outcome
        else:
            row.result_sha256, row.result_bytes = outcome.sha256, outcome.bytes


def waiting_tasks(database: Database) -> list[str]:
    """Tasks that no worker has."""
    with database.read() as session:
        return list(session.scalars(_free().with_only_columns(ModelTaskRow.id)))


def forget_answers(session: Session) -> None:
    """Delete the predictions that were kept for long enough."""
    old = ModelTaskRow.created_at < now() - LIFETIME
    session.execute(delete(ModelTaskRow).where(old, ModelTaskRow.export.is_(None)))


def _free() -> Select[ModelTaskRow]:
    return select(ModelTaskRow).where(ModelTaskRow.state == "waiting", unheld(ModelTaskRow))


def require_model(job: JobRow) -> str:
    """Where a job's model is stored.

    Raises:
        Conflict: it has none, or none yet.
    """
    if job.model_sha256 is not None:
        return job.model_sha256
    if job.state in TERMINAL:
        raise Conflict(f"a job that is {job.state} left no model; train it again")
    raise Conflict(
        f"a job that is {job.state} has no model yet; wait for its end with GET /v1/jobs/{job.id} and `Prefer: wait=30`"
    )


def _export(session: Session, job_id: str, format_: str) -> ModelTaskRow | None:
    """The export that there is or that is being made; a failed one is forgotten."""
    row = session.scalar(select(ModelTaskRow).where(ModelTaskRow.job_id == job_id, ModelTaskRow.export == format_))
    if row is not None and row.state == "failed":
        session.delete(row)
        session.flush()
        return None
    return row


def _fail(row: ModelTaskRow, faults: list[Fault]) -> None:
    row.state, row.faults, row.lease_until, row.version = "failed", faults, None, row.version + 1


def _task_of(row: ModelTaskRow) -> ModelTask:
    stored = row.result_sha256 is not None and row.result_bytes is not None
    return ModelTask(
        id=row.id,
        version=row.version,
        job_id=row.job_id,
        asked=row.asked,
        state=row.state,
        prediction=row.prediction,
        result=Artifact(row.result_sha256 or "", row.result_bytes or 0) if stored else None,
        faults=row.faults,
    )
