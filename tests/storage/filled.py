"""A database that has something in every table."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import delete

from api_schemas.datasets import ColumnChoice, DatasetFile, Preview
from api_schemas.jobs import Checkpoint, Environment, JobSpec, Summary
from api_schemas.model_tasks import PredictFile
from api_schemas.models import ModelChange
from api_schemas.plan import make_plan
from storage import attempts, jobs
from storage.attempts import Report
from storage.curves import CHUNK_POINTS, CurveWriter
from storage.database import Database, now
from storage.datasets import NewDataset, add_dataset
from storage.duties import RECONCILE, take_duty
from storage.idempotency import Once
from storage.inspections import Contents, claim_inspection, finish_inspection
from storage.keys import create_key
from storage.model_tasks import ask, claim_task
from storage.models import put_model
from storage.tables import LeaseRow
from storage.workers import WorkerIdentity, arrive, leave

NAN = float("nan")


def digest(number: int) -> str:
    """A digest that is told from others by its number."""
    return f"{number:064x}"


def fill(database: Database, digest: Callable[[int], str] = digest) -> tuple[str, str]:
    """Put rows into every table.

    Args:
        database: where they go.
        digest: of the stored file with a number.

    Returns:
        The ids of a job that succeeded, and of one that a lost worker was training.
    """
    worker = WorkerIdentity("wrk_lost", "a host", 1, "cpu", 2, ["default"])
    arrive(database, worker, 60)
    take_duty(database, RECONCILE, worker.id, 60)
    create_key(database, "café ☕")
    files = [DatasetFile(name=f"{name}.csv", sha256=digest(number), bytes=9) for number, name in enumerate("ab")]
    dataset, _ = add_dataset(
        database, "default", NewDataset("two", "csv", files, None, [ColumnChoice(name="é", role="ignore")])
    )
    read = Contents(9, [], [], Preview(columns=[], rows=[]), digest(3), None)
    finish_inspection(database, claim_inspection(database, dataset.id, 60), read)
    done, running = _train(database, "done", digest(7)), _train(database, "running", digest(8))
    attempts.succeed(database, done.lease, weights_sha256="f" * 64, model_sha256=digest(4), steps_done=4196)
    put_model(database, "default", "digits", ModelChange(job=done.lease.job_id, aliases=["champion"]))
    task = ask(database, "default", done.lease.job_id, PredictFile(sha256=digest(5), format="csv", output="csv"))
    claim_task(database, task.id, 600)
    return done.lease.job_id, running.lease.job_id


def go(database: Database) -> None:
    """End the worker that `fill` let arrive, and its duty, without a word about its job."""
    leave(database, "wrk_lost")
    with database.write() as session:
        session.execute(delete(LeaseRow))


def _train(database: Database, name: str, checkpoint: str) -> attempts.Claim:
    spec = {"dataset": {"name": "digits"}, "name": name, "tags": {"of": name}}
    plan = make_plan(JobSpec.model_validate(spec), None)
    jobs.submit(database, "default", plan, Once.of(name, "POST", name))
    claimed = attempts.claim(database, "wrk_lost", ["default"], ["cpu"], 60)
    assert claimed is not None
    curves = CurveWriter(claimed.lease.job_id)
    attempts.begin(database, claimed.lease, curves, 0)
    attempts.describe(database, claimed.lease, Environment(torch="2", device="cpu", threads=1, deterministic=True))
    count = CHUNK_POINTS + 100
    curves.add("train/loss", range(count), [NAN, float("inf"), *(1 / step for step in range(2, count))])
    curves.add("val/loss", [3, 99], [0.1, 0.2])
    kept = [Checkpoint(step=count, created_at=now(), bytes=3, sha256=checkpoint, last=True)]
    summary = {"train/loss": Summary(last=0.1, best=0.1, best_step=1, better="lower")}
    news = Report(count, summary, 12.5, [("checkpoint", {"step": count, "bytes": 3})], kept)
    attempts.report(database, claimed.lease, curves, news)
    return claimed
