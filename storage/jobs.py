"""Jobs as their owner sees them: submit, look, cancel, pause, resume, delete."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from api_schemas.datasets import Upload
from api_schemas.errors import Conflict
from api_schemas.fusing import fuse_key
from api_schemas.ids import new_id
from api_schemas.jobs import HELD, TERMINAL, Course, Event, Job, JobState, Plan, Progress, Transition
from storage.database import Database, fetch, now
from storage.events import move, moved, read_events, read_transitions, transition_of
from storage.idempotency import Once, once
from storage.models import refuse_named
from storage.quotas import refuse_beyond
from storage.tables import JobRow, TagRow


def submit(
    database: Database,
    project: str,
    plan: Plan,
    request: Once | None = None,
    init_sha256: str | None = None,
    most_queued: int | None = None,
) -> tuple[Job, bool]:
    """Store a job, queued; with its idempotency key in the same transaction.

    Args:
        database: where it goes.
        project: whose it is.
        plan: what it will do.
        request: its idempotency key.
        init_sha256: the stored model or checkpoint that it begins with.
        most_queued: most jobs of the project that may wait.

    Returns:
        The job, and whether it had been submitted before under this key.

    Raises:
        TooManyRequests: as many wait as may; what was submitted before is answered all the same.
    """

    def work() -> Job:
        refuse_beyond(session, project, most_queued)
        return _insert(session, project, plan, init_sha256)

    with database.write() as session:
        return once(session, project, request, Job, work)


def get_job(database: Database, project: str, job_id: str) -> Job:
    """One job.

    Raises:
        NotFound: this project has no such job.
    """
    with database.read() as session:
        return _read(session, fetch(session, JobRow, project, job_id))


def get_events(database: Database, project: str, job_id: str, after: int, limit: int) -> tuple[Job, list[Event]]:
    """A job and its events behind `after`, as they were at one moment.

    Raises:
        NotFound: this project has no such job.
    """
    with database.read() as session:
        row = fetch(session, JobRow, project, job_id)
        return _read(session, row), read_events(session, row.id, after, limit)


def count_by_state(database: Database) -> dict[JobState, int]:
    """How many jobs of all projects are in each state; for the operator."""
    with database.read() as session:
        found = dict(session.execute(select(JobRow.state, func.count()).group_by(JobRow.state)).all())
    return {state: found.get(state, 0) for state in get_args(JobState)}


def cancel(database: Database, project: str, job_id: str, request: Once | None = None) -> Job:
    """Stop a job for good; one that has ended, or is being cancelled, stays as it is."""

    def decide(session: Session, job: JobRow) -> None:
        if job.state in ("queued", "paused"):
            move(session, job, "cancelled", "cancelled before a worker had it")
        elif job.state in ("running", "pausing"):
            move(session, job, "cancelling", "waiting for the worker to stop")

    return _change(database, project, job_id, request, decide)


def pause(database: Database, project: str, job_id: str, request: Once | None = None) -> Job:
    """Let a job write a checkpoint and free its worker.

    Raises:
        Conflict: it has ended or is being cancelled.
    """

    def decide(session: Session, job: JobRow) -> None:
        if job.state == "queued":
            move(session, job, "paused", "paused while it waited")
        elif job.state == "running":
            move(session, job, "pausing", "waiting for the worker to write a checkpoint")
        elif job.state not in ("pausing", "paused"):
            raise Conflict(f"a job that is {job.state} cannot be paused")

    return _change(database, project, job_id, request, decide)


def resume(
    database: Database, project: str, job_id: str, request: Once | None = None, most_queued: int | None = None
) -> Job:
    """Queue a paused job again.

    Raises:
        Conflict: it is not paused.
        TooManyRequests: as many of the project wait as may.
    """

    def decide(session: Session, job: JobRow) -> None:
        if job.state == "paused":
            refuse_beyond(session, project, most_queued)
            move(session, job, "queued", "resumed; waiting for a worker")
        elif job.state not in ("queued", "running"):
            raise Conflict(f"a job that is {job.state} cannot be resumed; only a paused one can")

    return _change(database, project, job_id, request, decide)


def delete_job(database: Database, project: str, job_id: str) -> None:
    """Delete a job, its events and its curves.

    Raises:
        Conflict: a worker has it; cancel it first. Or a name of the registry points at it.
    """
    with database.write() as session:
        job = fetch(session, JobRow, project, job_id, lock=True)
        if job.state in HELD:
            raise Conflict(f"a job that is {job.state} cannot be deleted; cancel it first")
        refuse_named(session, job.id)
        session.execute(delete(JobRow).where(JobRow.id == job.id))


def course_of(row: JobRow, transitions: list[Transition], tags: dict[str, str], epochs: int) -> Course:
    """What became of a job whose spec has these tags and epochs."""
    left = row.total_steps - row.step
    steps_per_epoch = max(1, row.total_steps // epochs)
    rate = row.samples_per_second if row.state in HELD else None
    return Course(
        id=row.id,
        version=row.version,
        name=row.name,
        tags=tags,
        state=row.state,
        state_reason=row.state_reason,
        terminal=row.state in TERMINAL,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        attempt=row.attempt,
        worker=row.worker_id,
        progress=Progress(
            step=row.step,
            total_steps=row.total_steps,
            epoch=round(row.step / steps_per_epoch, 3),
            samples_per_second=row.samples_per_second,
            eta_seconds=round(left * row.train_rows / steps_per_epoch / rate, 3) if rate else None,
        ),
        metrics=row.metrics,
        error=row.error,
        parameters=row.parameters,
        flops_per_step=None if row.flops_per_step is None else int(row.flops_per_step),
        weights_sha256=row.weights_sha256,
        environment=row.environment,
        warnings=row.warnings,
        transitions=transitions,
    )


def _change(
    database: Database,
    project: str,
    job_id: str,
    request: Once | None,
    decide: Callable[[Session, JobRow], None],
) -> Job:
    """Let `decide` move a job, with the row held and the idempotency key in the same transaction."""

    def work() -> Job:
        job = fetch(session, JobRow, project, job_id, lock=True)
        decide(session, job)
        return _read(session, job)

    with database.write() as session:
        return once(session, project, request, Job, work)[0]


def _insert(session: Session, project: str, plan: Plan, init_sha256: str | None) -> Job:
    spec = plan.spec
    job = JobRow(
        id=new_id("job"),
        project_id=project,
        version=0,
        name=spec.name,
        spec=spec,
        dataset_id=spec.dataset.id if isinstance(spec.dataset, Upload) else None,
        queue=spec.resources.queue,
        priority=spec.resources.priority,
        preemptible=spec.resources.preemptible,
        device=spec.resources.device,
        init_sha256=init_sha256,
        total_steps=plan.total_steps,
        train_rows=plan.train_rows,
        parameters=plan.parameters,
        flops_per_step=plan.flops_per_step,
        fuse_key=fuse_key(spec),
        warnings=plan.warnings,
        created_at=now(),
        events=0,
        attempt=0,
        failures=0,
        step=0,
        metrics={},
        checkpoints=[],
    )
    first = moved(job, "queued", "waiting for a worker")
    session.add(job)
    session.flush()  # its tags and its first event refer to it
    session.add(first)
    session.add_all(TagRow(job_id=job.id, name=name, value=value) for name, value in spec.tags.items())
    return _job(job, [transition_of(first.at, first.data)])


def _read(session: Session, row: JobRow) -> Job:
    session.flush()
    return _job(row, read_transitions(session, [row.id])[row.id])


def _job(row: JobRow, transitions: list[Transition]) -> Job:
    course = course_of(row, transitions, row.spec.tags, row.spec.training.epochs)
    return Job(**dict(course), spec=row.spec)
