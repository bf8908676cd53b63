"""Attempts: how a worker gets a job, keeps it, reports on it and lets it go.

Every write names the attempt as a fencing token. Where it matches no row the worker has been replaced, and stops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from api_schemas.datasets import Dataset
from api_schemas.jobs import HELD, Checkpoint, Environment, JobError, JobSpec, JobState, Plan, Summary
from storage import environments
from storage.curves import CurveWriter
from storage.database import Database, now
from storage.datasets import dataset_of
from storage.events import Data, move, record
from storage.order import in_order
from storage.quotas import take_turns_claiming
from storage.tables import DatasetRow, EventRow, JobRow, Unreadable, database_time

_MOST_UNREADABLE = 100
"""Jobs of a newer version that one claim looks past."""


class LeaseLost(Exception):
    """The attempt does not hold the job any more: it was given to another, or deleted."""


@dataclass(frozen=True)
class Lease:
    """The right to train a job, for as long as it is renewed."""

    job_id: str
    attempt: int
    worker_id: str
    seconds: float


@dataclass(frozen=True)
class Claim:
    """A job that a worker got, and what it needs to train it."""

    lease: Lease
    spec: JobSpec
    dataset: Dataset | None
    arrays_sha256: str | None
    """The upload's columns as arrays."""
    init_sha256: str | None
    """The model to begin with."""
    steps_done: int
    rows_per_step: float
    """On average: an epoch's last step may be smaller."""
    metrics: dict[str, Summary]
    checkpoints: list[Checkpoint]
    """All that are kept of earlier attempts, oldest first."""


@dataclass(frozen=True)
class Report:
    """What an attempt has to say since its last report, beside the points."""

    steps_done: int
    metrics: Mapping[str, Summary]
    samples_per_second: float | None = None
    events: Sequence[tuple[str, Data]] = ()
    checkpoints: Sequence[Checkpoint] = ()
    """All that are kept now, oldest first, where there is a new one."""
    told: int = 0
    """How many events the attempt reported before, as far as it was answered."""


def claim(
    database: Database,
    worker_id: str,
    queues: Sequence[str],
    devices: Sequence[str],
    lease_seconds: float,
    most_running: int | None = None,
) -> Claim | None:
    """Take the best job that this worker can run: by priority, then fair between projects, then age.

    Args:
        database: where the jobs are.
        worker_id: who asks.
        queues: that it serves.
        devices: what a job can run on here, such as `cuda` and `cpu`; one that asks for none can always.
        lease_seconds: for how long it is taken without a word.
        most_running: most jobs of a project that workers may have.

    Returns:
        The job, or None where nothing waits.
    """
    with database.write() as session:
        take_turns_claiming(session, most_running)
        job = _best_readable(session, in_order(queues, devices, most_running))
        if job is None:
            return None
        job.attempt += 1
        job.worker_id = worker_id
        job.not_before, job.told = None, 0
        job.started_at = job.started_at or now()
        steps_done = job.checkpoints[-1].step if job.checkpoints else 0
        job.step = steps_done
        record(session, job, "attempt", {"attempt": job.attempt, "worker": worker_id, "from_step": steps_done})
        move(session, job, "running", f"attempt {job.attempt} trains {_origin(steps_done)}")
        session.flush()
        session.execute(_of(job.id).values(lease_until=database_time() + lease_seconds))
        dataset = session.get(DatasetRow, job.dataset_id) if job.dataset_id else None
        return Claim(
            lease=Lease(job.id, job.attempt, worker_id, lease_seconds),
            spec=job.spec,
            dataset=dataset_of(dataset) if dataset else None,
            arrays_sha256=dataset.arrays_sha256 if dataset else None,
            init_sha256=job.init_sha256,
            steps_done=steps_done,
            rows_per_step=job.train_rows * job.spec.training.epochs / job.total_steps,
            metrics=job.metrics,
            checkpoints=job.checkpoints,
        )


def begin(database: Database, lease: Lease, curves: CurveWriter, steps_done: int) -> None:
    """Start to write: forget the points after the step that this attempt starts from.

    Raises:
        LeaseLost: another attempt has the job.
    """
    with database.write() as session:
        _renew(session, lease)
        curves.rewind(session, steps_done)


def report(database: Database, lease: Lease, curves: CurveWriter, news: Report | None) -> JobState:
    """Renew the lease and store what is new, in one transaction; what was stored and not answered is not stored twice.

    Args:
        database: where it goes.
        lease: that the attempt holds.
        curves: with the points since the last report.
        news: the rest; None for a mere sign of life.

    Returns:
        The job's state, so that the attempt learns when it shall cancel or pause.

    Raises:
        LeaseLost: another attempt has the job.
    """
    with database.write() as session:
        state, last = _renew(session, lease, **_changes(news))
        curves.write(session)
        if news and news.events:
            _add_events(session, lease.job_id, news.events, last)
    curves.written()
    return state


def describe(database: Database, lease: Lease, environment: Environment) -> None:
    """Store what the attempt runs on, and whether all of the run's bits are to be had there again.

    Raises:
        LeaseLost: another attempt has the job.
    """
    with database.write() as session:
        job = _held(session, lease)
        before = job.environment if job.step else None
        changed = before is not None and environments.differ(before, environment)
        if changed or before is None:  # what an earlier attempt was warned of is overtaken
            job.warnings = [advice for advice in job.warnings if advice.code != environments.CHANGED]
        if before and changed:
            advice = environments.warning(before, environment, job.step)
            job.warnings = [*job.warnings, advice]
            record(session, job, "warning", {"code": advice.code, "step": job.step, "message": advice.message})
        job.environment = environments.joined(before, environment) if before else environment
        job.version += 1


def fall_back(
    database: Database, lease: Lease, curves: CurveWriter, checkpoints: Sequence[Checkpoint], reason: str
) -> None:
    """Go on from an earlier checkpoint than the last, or from the start: forget those behind it, and the points.

    Args:
        database: where the job is.
        lease: that the attempt holds.
        curves: that the attempt will write.
        checkpoints: those that are kept, oldest first; it goes on from the last.
        reason: why not from a later one.

    Raises:
        LeaseLost: another attempt has the job.
    """
    with database.write() as session:
        job = _held(session, lease)
        _keep(job, checkpoints)
        job.step = step = job.checkpoint_step or 0
        job.state_reason = f"attempt {job.attempt} trains {_origin(step)}: {reason}"
        record(session, job, "warning", {"code": "checkpoint_unreadable", "step": step, "message": reason})
        curves.rewind(session, step)


def succeed(database: Database, lease: Lease, *, weights_sha256: str, model_sha256: str, steps_done: int) -> None:
    """End the job well."""
    with database.write() as session:
        job = _held(session, lease)
        job.weights_sha256, job.model_sha256, job.step = weights_sha256, model_sha256, steps_done
        move(session, job, "succeeded", _how_it_ended(job))


def fail(database: Database, lease: Lease, error: JobError) -> None:
    """End the job with an error that another try would meet again."""
    with database.write() as session:
        job = _held(session, lease)
        if job.state == "cancelling":
            move(session, job, "cancelled", "cancelled")
        else:
            _fail(session, job, error)


def stop(database: Database, lease: Lease) -> None:
    """Let the job go because its owner asked for that: it is cancelled or paused."""
    with database.write() as session:
        job = _held(session, lease)
        if job.state == "cancelling":
            move(session, job, "cancelled", f"cancelled at step {job.step}")
        else:
            move(session, job, "paused", f"paused at step {job.step}")


def release(database: Database, lease: Lease, reason: str) -> None:
    """Let the job go because the worker stops; it waits for another and that counts as no failure."""
    with database.write() as session:
        _requeue(session, _held(session, lease), reason)


def release_all(session: Session, reason: str) -> None:
    """Let all jobs go, in a database that nobody writes to who had them; that counts as no failure."""
    for job in session.scalars(select(JobRow).where(JobRow.state.in_(HELD))):
        _requeue(session, job, reason)


def crash(database: Database, lease: Lease, error: JobError) -> None:
    """Let the job go because its trainer died; it is tried again, later each time, until its attempts are used up."""
    with database.write() as session:
        give_up_or_retry(session, _held(session, lease), error)


def start_over(database: Database, lease: Lease, plan: Plan, reason: str) -> None:
    """Let the job go to be trained from its first step as another plan says; that counts as no failure."""
    with database.write() as session:
        job = _held(session, lease)
        job.spec, job.warnings = plan.spec, plan.warnings
        job.total_steps, job.train_rows = plan.total_steps, plan.train_rows
        job.parameters, job.flops_per_step = plan.parameters, plan.flops_per_step
        job.step, job.metrics, job.samples_per_second, job.environment = 0, {}, None, None
        _keep(job, [])
        _requeue(session, job, reason)


def give_up_or_retry(session: Session, job: JobRow, error: JobError) -> None:
    """Count a failure of a locked job and decide what becomes of it."""
    job.failures += 1
    if job.state == "cancelling":
        move(session, job, "cancelled", "cancelled")
    elif job.failures >= job.spec.resources.max_attempts:
        _fail(session, job, error)
    else:
        _requeue(session, job, f"{error.message}; trying again from step {job.checkpoint_step or 0}")
        session.flush()
        session.execute(_of(job.id).values(not_before=database_time() + 2 ** (job.failures - 1) - 1))


def _keep(job: JobRow, checkpoints: Sequence[Checkpoint]) -> None:
    job.checkpoints = list(checkpoints)
    last = checkpoints[-1] if checkpoints else None
    job.checkpoint_step, job.checkpoint_sha256 = (last.step, last.sha256) if last else (None, None)


def _origin(steps_done: int) -> str:
    return f"from step {steps_done}" if steps_done else "from the start"


def _how_it_ended(job: JobRow) -> str:
    """In one sentence; it says which weights are kept where those that were asked for never came to be."""
    if job.step == job.total_steps:
        return f"all {job.total_steps} steps are done"
    early = f"stopped early after step {job.step}: it no longer got better"
    training = job.spec.training
    if training.keep == "best":
        return f"{early}; the weights of its best evaluation are kept"
    steps_per_epoch = job.total_steps // training.epochs
    if training.averaging and job.step < training.averaging.first_step(job.total_steps, steps_per_epoch):
        return f"{early}; the last weights are kept, as no average had begun"
    return early


def _best_readable(session: Session, line: Select[str]) -> JobRow | None:
    """The best job that this code understands; what a newer version wrote is left to that version's workers."""
    unreadable: list[str] = []
    while len(unreadable) < _MOST_UNREADABLE:
        readable = line.where(JobRow.id.not_in(unreadable)).limit(1)
        # PostgreSQL passes over what another worker is about to take.
        job_id = session.scalar(readable.with_for_update(of=JobRow, skip_locked=True))
        if job_id is None:
            return None
        try:
            return session.get_one(JobRow, job_id)
        except Unreadable:
            unreadable.append(job_id)
    return None


def _of(job_id: str) -> Any:
    return update(JobRow).where(JobRow.id == job_id).execution_options(synchronize_session=False)


def _renew(session: Session, lease: Lease, **changes: Any) -> tuple[JobState, int]:
    """Extend the lease, in the statement that also proves it is still held."""
    statement = (
        _of(lease.job_id)
        .where(JobRow.attempt == lease.attempt, JobRow.worker_id == lease.worker_id, JobRow.state.in_(HELD))
        .values(lease_until=database_time() + lease.seconds, **changes)
        .returning(JobRow.state, JobRow.events)
    )
    found = session.execute(statement).one_or_none()
    if found is None:
        raise LeaseLost(lease.job_id)
    return found.state, found.events


def _add_events(session: Session, job_id: str, events: Sequence[tuple[str, Data]], last: int) -> None:
    """Add those of an attempt's events that are not there yet, up to a job's last number."""
    before = session.scalar(select(func.max(EventRow.number)).where(EventRow.job_id == job_id)) or 0
    fresh = events[len(events) - (last - before) :]
    for number, (kind, data) in enumerate(fresh, start=before + 1):
        session.add(EventRow(job_id=job_id, number=number, type=kind, at=now(), data=data))


def _changes(news: Report | None) -> dict[str, Any]:
    if news is None:
        return {}
    told = news.told + len(news.events)
    changes: dict[str, Any] = {
        "version": JobRow.version + 1,
        "step": news.steps_done,
        "metrics": dict(news.metrics),
        "events": JobRow.events + (told - JobRow.told),
        "told": told,
    }
    if news.samples_per_second is not None:
        changes["samples_per_second"] = news.samples_per_second
    if news.checkpoints:
        last = news.checkpoints[-1]
        changes["checkpoints"] = list(news.checkpoints)
        changes["checkpoint_step"], changes["checkpoint_sha256"] = last.step, last.sha256
    return changes


def _held(session: Session, lease: Lease) -> JobRow:
    query = select(JobRow).where(
        JobRow.id == lease.job_id,
        JobRow.attempt == lease.attempt,
        JobRow.worker_id == lease.worker_id,
        JobRow.state.in_(HELD),
    )
    job = session.scalar(query.with_for_update())
    if job is None:
        raise LeaseLost(lease.job_id)
    return job


def _fail(session: Session, job: JobRow, error: JobError) -> None:
    job.error = error
    move(session, job, "failed", error.message)


def _requeue(session: Session, job: JobRow, reason: str) -> None:
    if job.state == "cancelling":
        move(session, job, "cancelled", "cancelled")
    elif job.state == "pausing":
        move(session, job, "paused", f"paused at step {job.checkpoint_step or 0}")
    else:
        move(session, job, "queued", reason)
