"""A project has no more jobs than its quotas allow, however many ask at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from api_schemas.errors import TooManyRequests
from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from storage import attempts, jobs
from storage.idempotency import Once
from storage.listing import JobFilter, list_jobs

PLAN = make_plan(JobSpec.model_validate({"dataset": {"name": "digits"}}), None)


def count(database, project):
    return len(list_jobs(database, project, JobFilter(), limit=200)[0])


def test_of_two_hundred_submits_at_once_as_many_are_taken_as_may_wait(database):
    def send(number):
        try:
            jobs.submit(database, "a" if number % 2 else "b", PLAN, most_queued=20)
        except TooManyRequests:
            return False
        return True

    with ThreadPoolExecutor(25) as pool:
        assert sum(pool.map(send, range(200))) == 40
    assert (count(database, "a"), count(database, "b")) == (20, 20)


def test_who_is_refused_hears_what_makes_room(database):
    job, _ = jobs.submit(database, "a", PLAN, most_queued=1)
    with pytest.raises(TooManyRequests, match="1 jobs of this project wait") as refused:
        jobs.submit(database, "a", PLAN, most_queued=1)
    assert refused.value.limit == ("queued", 1)
    assert refused.value.retry_after_seconds
    jobs.cancel(database, "a", job.id)
    jobs.submit(database, "a", PLAN, most_queued=1)


def test_what_was_submitted_before_is_answered_as_before_and_a_refused_key_may_be_used_again(database):
    first, second = Once.of("first", "body"), Once.of("second", "body")
    job, _ = jobs.submit(database, "a", PLAN, first, most_queued=1)
    with pytest.raises(TooManyRequests):
        jobs.submit(database, "a", PLAN, second, most_queued=1)
    assert jobs.submit(database, "a", PLAN, first, most_queued=1) == (job, True)
    jobs.cancel(database, "a", job.id)
    assert not jobs.submit(database, "a", PLAN, second, most_queued=1)[1]


def test_a_paused_job_takes_no_place_and_waits_for_one_to_go_on(database):
    paused, _ = jobs.submit(database, "a", PLAN, most_queued=1)
    jobs.pause(database, "a", paused.id)
    jobs.submit(database, "a", PLAN, most_queued=1)
    with pytest.raises(TooManyRequests):
        jobs.resume(database, "a", paused.id, most_queued=1)
    assert jobs.get_job(database, "a", paused.id).state == "paused"


def test_workers_that_claim_at_once_take_no_more_of_a_project_than_may_run(database, submit):
    for project in "ab":
        for _ in range(8):
            submit(project)

    def work(number):
        claimed = [attempts.claim(database, f"wrk_{number}", ["default"], ["cpu"], 60, 3) for _ in range(4)]
        return sum(one is not None for one in claimed)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4))) == 6
