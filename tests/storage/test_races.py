"""Whoever comes first wins, and what the other is told is true."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from api_schemas.errors import Conflict, NotFound
from storage import attempts, jobs
from storage.attempts import LeaseLost

ROUNDS = 8
END = {"weights_sha256": "w", "model_sha256": "m", "steps_done": 1}


@pytest.fixture
def at_once():
    """Do two things at the same time, and return what came of each: its answer or its error."""

    def do(work):
        try:
            return work()
        except (Conflict, NotFound, LeaseLost) as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        yield lambda one, other: tuple(pool.map(do, (one, other)))


def claim(database):
    return attempts.claim(database, "wrk_1", ["default"], ["cpu"], 60)


def test_a_job_is_deleted_or_claimed_but_never_both(database, submit, at_once):
    for _ in range(ROUNDS):
        job = submit()
        deleted, claimed = at_once(
            lambda job=job: jobs.delete_job(database, "default", job.id), lambda: claim(database)
        )
        if claimed is None:
            assert deleted is None
            with pytest.raises(NotFound):
                jobs.get_job(database, "default", job.id)
        else:
            assert isinstance(deleted, Conflict)
            assert jobs.get_job(database, "default", job.id).state == "running"


def test_a_cancel_and_an_end_leave_one_end_state_that_stays(database, submit, at_once):
    """A job that had just finished has succeeded, whatever is asked while that is written."""
    for _ in range(ROUNDS):
        lease = (submit(), claim(database).lease)[1]
        cancelled, ended = at_once(
            lambda lease=lease: jobs.cancel(database, "default", lease.job_id),
            lambda lease=lease: attempts.succeed(database, lease, **END),
        )
        assert cancelled.state in ("cancelling", "succeeded")
        assert ended is None
        done = jobs.get_job(database, "default", lease.job_id)
        assert (done.state, done.weights_sha256) == ("succeeded", "w")
        assert [change.state for change in done.transitions].count("succeeded") == 1
        with pytest.raises(LeaseLost):
            attempts.stop(database, lease)


def test_a_cancel_and_a_stop_never_leave_a_job_half_cancelled(database, submit, at_once):
    for _ in range(ROUNDS):
        lease = (submit(), claim(database).lease)[1]
        jobs.pause(database, "default", lease.job_id)
        at_once(
            lambda lease=lease: jobs.cancel(database, "default", lease.job_id),
            lambda lease=lease: attempts.stop(database, lease),
        )
        assert jobs.get_job(database, "default", lease.job_id).state == "cancelled"


def test_a_resume_and_a_cancel_leave_a_cancelled_job_that_nobody_takes(database, submit, at_once):
    for _ in range(ROUNDS):
        job = submit()
        jobs.pause(database, "default", job.id)
        at_once(
            lambda job=job: jobs.resume(database, "default", job.id),
            lambda job=job: jobs.cancel(database, "default", job.id),
        )
        assert jobs.get_job(database, "default", job.id).state == "cancelled"
        assert claim(database) is None
