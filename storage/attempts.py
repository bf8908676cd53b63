"""Attempts: how a worker gets a job, keeps it, reports on it and lets it go.

Every write names the attempt as a fencing token. Where it matches no row the worker has been replaced, and stops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from sqlalchemy import Float, Select, bindparam, func, select, update
from sqlalchemy.orm import Session

from api_schemas.datasets import Dataset
from api_schemas.jobs import HELD, Checkpoint, Environment, JobError, JobSpec, JobState, Plan, Summary
from storage import endings, environments
from storage.companions import Room, companions
from storage.curves import CurveWriter
from storage.database import Database, now
from storage.datasets import dataset_of
from storage.endings import Ending
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


@dataclass(frozen=True)
class Word:
    """What an attempt has to say, to be stored."""

    lease: Lease
    curves: CurveWriter
    """With the points since the last report."""
    news: Report | None = None
    """The rest; None for a mere sign of life."""
    environment: Environment | None = None
    """What it runs on, where that was not yet stored."""
    ending: Ending | None = None
    """What becomes of the job, where the attempt is over."""


def claim(
    database: Database,
    worker_id: str,
    queues: Sequence[str],
    devices: Sequence[str],
    lease_seconds: float,
    most_running: int | None = None,
) -> Claim | None:
    """Take the best job that this worker can run, alone; `claim_together` without room for others."""
    claims = claim_together(database, worker_id, queues, devices, lease_seconds, most_running)
    return claims[0] if claims else None


def claim_together(
    database: Database,
    worker_id: str,
    queues: Sequence[str],
    devices: Sequence[str],
    lease_seconds: float,
    most_running: int | None = None,
    room: Room | None = None,
) -> list[Claim]:
    """Take the best job that this worker can run, and those that are to be trained with it.

    By priority, then fair between projects, then age.

    Args:
        database: where the jobs are.
        worker_id: who asks.
        queues: that it serves.
        devices: what a job can run on here, such as `cuda` and `cpu`, the slot's own first; one that asks for none can
            always.
        lease_seconds: for how long they are taken without a word.
        most_running: most jobs of a project that workers may have.
        room: for how many; None for one.

    Returns:
        The jobs, the best first; none where nothing waits.
    """
    with database.write() as session:
        take_turns_claiming(session, most_running)
        best = _best_readable(session, in_order(queues, devices, most_running))
        if best is None:
            return []
        others = companions(session, best, worker_id, devices[0], room, most_running) if room else ()
        found = [best, *_readable(session, others)]
        for job in found:
            _take(session, job, worker_id, room.slot if room else None)
        session.flush()
        until = database_time() + lease_seconds
        session.execute(_of(*(job.id for job in found)).values(lease_until=until))
        return [_claim(session, job, Lease(job.id, job.attempt, worker_id, lease_seconds)) for job in found]


def _take(session: Session, job: JobRow, worker_id: str, slot: int | None) -> None:
    job.attempt += 1
    job.worker_id, job.slot = worker_id, slot
    job.not_before, job.told = None, 0
    job.started_at = job.started_at or now()
    job.step = job.checkpoints[-1].step if job.checkpoints else 0
    record(session, job, "attempt", {"attempt": job.attempt, "worker": worker_id, "from_step": job.step})
    move(session, job, "running", f"attempt {job.attempt} trains {_origin(job.step)}")


def _claim(session: Session, job: JobRow, lease: Lease) -> Claim:
    dataset = session.get(DatasetRow, job.dataset_id) if job.dataset_id else None
    return Claim(
        lease=lease,
        spec=job.spec,
        dataset=dataset_of(dataset) if dataset else None,
        arrays_sha256=dataset.arrays_sha256 if dataset else None,
        init_sha256=job.init_sha256,
        steps_done=job.step,
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
    """Renew the lease and store what is new, as `report_together` does.

    Returns:
        The job's state, so that the attempt learns when it shall cancel or pause.

    Raises:
        LeaseLost: another attempt has the job.
    """
    (state,) = report_together(database, [Word(lease, curves, news)])
    if state is None:
        raise LeaseLost(lease.job_id)
    return state


def report_together(database: Database, words: Sequence[Word]) -> Sequence[JobState | None]:
    """Renew leases and store what is new, in one transaction; what was stored and not answered is not stored twice.

    Args:
        database: where it goes.
        words: of attempts that train together.

    Returns:
        For each the job's state, so that the attempt learns when it shall cancel or pause; None where another attempt
        has the job, of which nothing is stored.
    """
    with database.write() as session:
        states: list[JobState | None] = [_store(session, word) for word in words]
    for word, state in zip(words, states, strict=True):
        if state is not None:
            word.curves.written()
    return states


def _store(session: Session, word: Word) -> JobState | None:
    try:
        if word.environment:
            _describe(session, _held(session, word.lease), word.environment)
            session.flush()
        state, last = _renew(session, word.lease, _changes(word.news))
    except LeaseLost:
        return None
    word.curves.write(session)
    if word.news and word.news.events:
        _add_events(session, word.lease.job_id, word.news.events, last)
    return _end(session, word.lease, word.ending).state if word.ending else state


def end(database: Database, lease: Lease, ending: Ending) -> None:
    """Let the job go.

    Raises:
        LeaseLost: another attempt has the job.
    """
    with database.write() as session:
        _end(session, lease, ending)


def _end(session: Session, lease: Lease, ending: Ending) -> JobRow:
    job = _held(session, lease)
    ending(session, job)
    return job


def describe(database: Database, lease: Lease, environment: Environment) -> None:
    """Store what the attempt runs on, and whether all of the run's bits are to be had there again.

    Raises:
        LeaseLost: another attempt has the job.
    """
    with database.write() as session:
        _describe(session, _held(session, lease), environment)


def _describe(session: Session, job: JobRow, environment: Environment) -> None:
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
        endings.keep(job, checkpoints)
        job.step = step = job.checkpoint_step or 0
        job.state_reason = f"attempt {job.attempt} trains {_origin(step)}: {reason}"
        record(session, job, "warning", {"code": "checkpoint_unreadable", "step": step, "message": reason})
        curves.rewind(session, step)


def succeed(database: Database, lease: Lease, *, weights_sha256: str, model_sha256: str, steps_done: int) -> None:
    """End the job well."""
    done = partial(endings.succeed, weights_sha256=weights_sha256, model_sha256=model_sha256, steps_done=steps_done)
    end(database, lease, done)


def fail(database: Database, lease: Lease, error: JobError) -> None:
    """End the job with an error that another try would meet again."""
    end(database, lease, partial(endings.fail, error=error))


def stop(database: Database, lease: Lease) -> None:
    """Let the job go because its owner asked for that."""
    end(database, lease, endings.stop)


def release(database: Database, lease: Lease, reason: str) -> None:
    """Let the job go because the worker stops."""
    end(database, lease, partial(endings.release, reason=reason))


def crash(database: Database, lease: Lease, error: JobError) -> None:
    """Let the job go because its trainer died."""
    end(database, lease, partial(endings.crash, error=error))


def start_over(database: Database, lease: Lease, plan: Plan, reason: str) -> None:
    """Let the job go to be trained from its first step as another plan says."""
    end(database, lease, partial(endings.start_over, plan=plan, reason=reason))


def release_all(session: Session, reason: str) -> None:
    """Let all jobs go, in a database that nobody writes to who had them; that counts as no failure."""
    for job in session.scalars(select(JobRow).where(JobRow.state.in_(HELD))):
        endings.release(session, job, reason)


def _origin(steps_done: int) -> str:
    return f"from step {steps_done}" if steps_done else "from the start"


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


def _readable(session: Session, ids: Sequence[str]) -> list[JobRow]:
    """Those that this code understands, in the same order."""
    found: list[JobRow] = []
    for job_id in ids:
        with suppress(Unreadable):
            found.append(session.get_one(JobRow, job_id))
    return found


def _of(*job_ids: str) -> Any:
    return update(JobRow).where(JobRow.id.in_(job_ids)).execution_options(synchronize_session=False)


def _renew(session: Session, lease: Lease, changes: Mapping[str, Any] | None = None) -> tuple[JobState, int]:
    """Extend the lease, in the statement that also proves it is still held."""
    news = {f"new_{name}": value for name, value in (changes or {}).items()}
    whose = {"of": lease.job_id, "by": lease.attempt, "at": lease.worker_id, "seconds": lease.seconds}
    found = session.execute(_renewal(tuple(changes or ())), whose | news).one_or_none()
    if found is None:
        raise LeaseLost(lease.job_id)
    return found.state, found.events


@cache
def _renewal(names: tuple[str, ...]) -> Any:
    """The statement of a renewal that changes these columns; to build it takes longer than to run it."""
    table: Any = JobRow.__table__
    changes: dict[str, Any] = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names}
    if names:
        changes |= {
            "version": JobRow.version + 1,
            "events": JobRow.events + (bindparam("new_told") - JobRow.told),
        }
    return (
        update(table)
        .where(JobRow.id == bindparam("of"))
        .where(JobRow.attempt == bindparam("by"), JobRow.worker_id == bindparam("at"), JobRow.state.in_(HELD))
        .values(lease_until=database_time() + bindparam("seconds", type_=Float()), **changes)
        .returning(JobRow.state, JobRow.events)
    )


def _add_events(session: Session, job_id: str, events: Sequence[tuple[str, Data]], last: int) -> None:
    """Add those of an attempt's events that are not there yet, up to a job's last number."""
    before = session.scalar(select(func.max(EventRow.number)).where(EventRow.job_id == job_id)) or 0
    fresh = events[len(events) - (last - before) :]
    for number, (kind, data) in enumerate(fresh, start=before + 1):
        session.add(EventRow(job_id=job_id, number=number, type=kind, at=now(), data=data))


def _changes(news: Report | None) -> dict[str, Any]:
    if news is None:
        return {}
    changes: dict[str, Any] = {
        "step": news.steps_done,
        "metrics": dict(news.metrics),
        "told": news.told + len(news.events),
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
    # What a statement has changed since it was read is read again.
    job = session.scalar(query.with_for_update().execution_options(populate_existing=True))
    if job is None:
        raise LeaseLost(lease.job_id)
    return job
