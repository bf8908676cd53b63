"""A job that waits says for what, and how many are taken before it."""

from __future__ import annotations

import random

import pytest

from api_schemas.jobs import JobError
from storage import attempts, jobs, workers
from storage.line import Line
from storage.workers import WorkerIdentity

CRASH = JobError(code="crashed", message="the trainer was killed", hint="")


@pytest.fixture
def hire(database):
    """Let a worker be there: `hire(device="cuda", queues=["default"])`."""

    def hire(device="cpu", queues=("default",), slots=1, name=None):
        worker = WorkerIdentity(name or f"wrk_{device}", "here", 1, device, slots, list(queues))
        workers.arrive(database, worker, 60)

    return hire


@pytest.fixture
def waiting(database):
    def waiting(job, project="default", most_running=None):
        line = Line(database, most_running)
        return line.stand(jobs.get_job(database, project, job.id), project).waiting

    return waiting


def claim(database, devices=("cpu",), queues=("default",), **words):
    return attempts.claim(database, "wrk_cpu", queues, devices, 60, **words)


def test_so_many_are_ahead_as_are_taken_before(database, submit, hire, waiting):
    """Three projects with three priorities, some of whose jobs workers have already: each count comes true."""
    hire()
    draw = random.Random(4)
    projects = "abc"
    made = [(draw.choice(projects), draw.choice([-1, 0, 0, 2])) for _ in range(40)]
    waits = {
        (job := submit(project, resources={"priority": priority})).id: (job, project) for project, priority in made
    }
    for _ in range(9):
        waits.pop(claim(database).lease.job_id)
    line = Line(database, None)
    told = {job_id: line.stand(job, project).waiting.ahead for job_id, (job, project) in waits.items()}
    taken = [claim(database).lease.job_id for _ in waits]
    assert told == {job_id: place for place, job_id in enumerate(taken)}


def test_with_a_worker_online_a_job_waits_until_it_is_free(submit, hire, waiting):
    hire()
    submit()
    second = waiting(submit())
    assert (second.for_, second.ahead) == ("a free worker", 1)
    assert second.model_dump(mode="json") == {"ahead": 1, "for": "a free worker"}


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({}, "a free worker"),
        ({"device": "cuda"}, "a worker with a GPU; none is online"),
        ({"device": "mps"}, "a worker with an Apple GPU; none is online"),
        ({"queue": "big"}, "a worker of queue big; none is online"),
        ({"queue": "big", "device": "cuda"}, "a worker of queue big with a GPU; none is online"),
    ],
)
def test_a_job_says_which_worker_it_misses(submit, hire, waiting, asked, reason):
    hire()
    assert waiting(submit(resources=asked)).for_ == reason


def test_what_runs_elsewhere_is_not_ahead(submit, hire, waiting):
    hire()
    submit(resources={"queue": "big"})
    submit(resources={"device": "cuda"})
    assert waiting(submit()).ahead == 0
    hire("cuda")
    assert waiting(submit(resources={"device": "cuda"})).ahead == 2


def test_a_job_whose_trainer_crashed_says_when_it_is_tried_again(database, submit, hire, waiting):
    hire()
    job = submit(resources={"max_attempts": 5})
    for _ in range(2):
        with database.write() as session:
            session.get_one(attempts.JobRow, job.id).not_before = None
        attempts.crash(database, claim(database).lease, CRASH)
    assert waiting(job).for_ == "its next try in 1 s"
    assert waiting(submit()).ahead == 0


def test_a_project_at_its_quota_waits_for_its_own_and_holds_up_nobody(database, submit, hire, waiting):
    hire()
    mine = [submit("a") for _ in range(4)]
    for _ in range(2):
        assert claim(database, most_running=2).lease.job_id in {job.id for job in mine}
    assert claim(database, most_running=2) is None
    assert waiting(mine[2], "a", most_running=2).for_ == "the project's running jobs: 2 of 2"
    theirs = submit("b")
    assert waiting(theirs, "b", most_running=2).ahead == 0
    assert claim(database, most_running=2).lease.job_id == theirs.id


def test_who_does_not_wait_waits_for_nothing(database, submit, waiting):
    job = submit()
    claim(database)
    assert waiting(job) is None
