"""How attempts end, and what becomes of their jobs: each is said of a row that the caller holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from sqlalchemy import update
from sqlalchemy.orm import Session

from api_schemas.fusing import fuse_key
from api_schemas.jobs import Checkpoint, JobError, Plan
from storage.events import move
from storage.tables import JobRow, database_time

Ending: TypeAlias = Callable[[Session, JobRow], None]


def succeed(session: Session, job: JobRow, *, weights_sha256: str, model_sha256: str, steps_done: int) -> None:
    """End the job well."""
    job.weights_sha256, job.model_sha256, job.step = weights_sha256, model_sha256, steps_done
    move(session, job, "succeeded", _how_it_ended(job))


def fail(session: Session, job: JobRow, error: JobError) -> None:
    """End the job with an error that another try would meet again."""
    if job.state == "cancelling":
        move(session, job, "cancelled", "cancelled")
    else:
        _fail(session, job, error)


def stop(session: Session, job: JobRow) -> None:
    """Let the job go because its owner asked for that: it is cancelled or paused."""
    if job.state == "cancelling":
        move(session, job, "cancelled", f"cancelled at step {job.step}")
    else:
        move(session, job, "paused", f"paused at step {job.step}")


def release(session: Session, job: JobRow, reason: str) -> None:
    """Let the job go because the worker stops; it waits for another and that counts as no failure."""
    if job.state == "cancelling":
        move(session, job, "cancelled", "cancelled")
    elif job.state == "pausing":
        move(session, job, "paused", f"paused at step {job.checkpoint_step or 0}")
    else:
        move(session, job, "queued", reason)


def crash(session: Session, job: JobRow, error: JobError) -> None:
    """Count a failure; the job is tried again, later each time, until its attempts are used up.

    From now on it is tried by itself: whatever ended this attempt shall end no other job's.
    """
    job.failures += 1
    if job.state == "cancelling":
        move(session, job, "cancelled", "cancelled")
    elif job.failures >= job.spec.resources.max_attempts:
        _fail(session, job, error)
    else:
        part(session, job, f"{error.message}; trying again from step {job.checkpoint_step or 0}")
        session.flush()
        later = update(JobRow).where(JobRow.id == job.id).execution_options(synchronize_session=False)
        session.execute(later.values(not_before=database_time() + 2 ** (job.failures - 1) - 1))


def part(session: Session, job: JobRow, reason: str) -> None:
    """Let the job go, to be tried by itself; no failure is counted: any of those trained with it may have failed."""
    job.fuse_key = None
    release(session, job, reason)


def start_over(session: Session, job: JobRow, plan: Plan, reason: str) -> None:
    """Let the job go to be trained from its first step as another plan says; that counts as no failure."""
    job.spec, job.warnings = plan.spec, plan.warnings
    job.total_steps, job.train_rows = plan.total_steps, plan.train_rows
    job.parameters, job.flops_per_step = plan.parameters, plan.flops_per_step
    job.fuse_key = fuse_key(plan.spec)
    job.step, job.metrics, job.samples_per_second, job.environment = 0, {}, None, None
    keep(job, [])
    release(session, job, reason)


def keep(job: JobRow, checkpoints: Sequence[Checkpoint]) -> None:
    """Note which checkpoints there are, oldest first."""
    job.checkpoints = list(checkpoints)
    last = checkpoints[-1] if checkpoints else None
    job.checkpoint_step, job.checkpoint_sha256 = (last.step, last.sha256) if last else (None, None)


def _fail(session: Session, job: JobRow, error: JobError) -> None:
    job.error = error
    move(session, job, "failed", error.message)


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
