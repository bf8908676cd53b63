"""A job says whether its bits are to be had again."""

from __future__ import annotations

import pytest

from api_schemas.jobs import Checkpoint, Environment
from storage import attempts, jobs
from storage.attempts import Report
from storage.curves import CurveWriter
from storage.database import now

HERE = Environment(torch="2", device="cpu (x86_64)", threads=1, deterministic=True)
TWO_THREADS = HERE.model_copy(update={"threads": 2})
A_GPU = HERE.model_copy(update={"device": "NVIDIA H100"})
AN_APPLE = Environment(torch="2", device="mps", threads=1, deterministic=False)


def train(database, environment, *, checkpoint):
    """An attempt that may get as far as a checkpoint, and gives the job back."""
    claimed = attempts.claim(database, "wrk_1", ["default"], ["cpu"], 60)
    attempts.describe(database, claimed.lease, environment)
    kept = [Checkpoint(step=5, created_at=now(), bytes=3, sha256="abc", last=True)] if checkpoint else []
    attempts.report(database, claimed.lease, CurveWriter(claimed.lease.job_id), Report(5, {}, checkpoints=kept))
    attempts.release(database, claimed.lease, "the worker ends")


@pytest.mark.parametrize(
    ("environments", "again"),
    [
        ([HERE], True),
        ([HERE, HERE], True),
        ([HERE, TWO_THREADS], False),
        ([HERE, A_GPU, A_GPU], False),
        ([HERE, A_GPU, HERE], False),
        ([AN_APPLE, HERE], False),
    ],
    ids=["one", "the same", "more threads", "a GPU", "a GPU and back", "Apple's GPU"],
)
def test_a_run_that_went_on_elsewhere_says_that_its_bits_are_not_to_be_had_again(database, submit, environments, again):
    job = submit()
    for environment in environments:
        train(database, environment, checkpoint=True)
    ran_on = jobs.get_job(database, "default", job.id).environment
    assert ran_on == environments[-1].model_copy(update={"deterministic": again})


def test_a_run_that_started_over_elsewhere_is_that_places_own(database, submit):
    job = submit()
    train(database, HERE, checkpoint=False)
    train(database, TWO_THREADS, checkpoint=False)
    assert jobs.get_job(database, "default", job.id).environment == TWO_THREADS
