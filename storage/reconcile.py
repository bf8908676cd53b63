"""The reconciler: finds what a dead worker or a lost message left lying, and puts it right.

Every gateway and worker runs it; a lease row lets one at a time do so.
"""

from __future__ import annotations

from sqlalchemy import select

from api_schemas.jobs import HELD, JobError
from storage.database import Database
from storage.duties import RECONCILE, take_duty
from storage.endings import crash
from storage.events import move
from storage.idempotency import forget_expired
from storage.inspections import waiting_inspections
from storage.model_tasks import forget_answers, waiting_tasks
from storage.order import due
from storage.preemption import forget_ways
from storage.queue import Waker
from storage.tables import JobRow, database_time
from storage.workers import forget_lost

ROUND_SECONDS = 1.0
"""How often a round is done: a lost job is taken back so soon after its lease."""


def reconcile(database: Database, waker: Waker, owner: str, every_seconds: float) -> bool:
    """Do one round, unless somebody did within `every_seconds`.

    Args:
        database: what is put right.
        waker: wakes workers for jobs, datasets and questions about models that wait.
        owner: who does the round.
        every_seconds: for how long the duty is taken.

    Returns:
        Whether this process did the round.
    """
    if not take_duty(database, RECONCILE, owner, every_seconds):
        return False
    _take_back_lost_jobs(database)
    for queue in _queues_with_work(database):
        waker.wake(queue)
    for dataset_id in waiting_inspections(database):
        waker.inspect(dataset_id)
    for task_id in waiting_tasks(database):
        waker.answer(task_id)
    forget_lost(database)
    with database.write() as session:
        forget_expired(session)
        forget_answers(session)
        forget_ways(session)
    return True


def _take_back_lost_jobs(database: Database) -> None:
    """Give the jobs of silent workers to others, or end them as their owners had asked."""
    with database.write() as session:
        silent = select(JobRow).where(JobRow.state.in_(HELD), JobRow.lease_until < database_time())
        for job in session.scalars(silent.with_for_update(skip_locked=True)):
            if job.state == "cancelling":
                move(session, job, "cancelled", "cancelled; its worker was lost")
            elif job.state == "pausing":
                move(session, job, "paused", f"paused at step {job.checkpoint_step or 0}; its worker was lost")
            else:
                crash(session, job, _lost(job))


def _lost(job: JobRow) -> JobError:
    return JobError(
        code="lost",
        message=f"worker {job.worker_id} was lost at step {job.step}",
        hint="the machine or its worker process died; GET /v1/workers shows who is there",
    )


def _queues_with_work(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(select(JobRow.queue).where(JobRow.state == "queued", due()).distinct()))
