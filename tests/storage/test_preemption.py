"""A job that allows it makes way for one of higher priority, and no more jobs do than have to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from storage import attempts, jobs, workers
from storage.preemption import forget_ways, make_way
from storage.tables import LeaseRow
from storage.workers import WorkerIdentity

DEVICES = {"cpu": ["cpu"], "cuda": ["cuda", "cpu"]}


@pytest.fixture
def hire(database):
    def hire(name, slots=1, device="cpu", queues=("default",)):
        workers.arrive(database, WorkerIdentity(name, "here", 1, device, slots, list(queues)), 60)

    return hire


@pytest.fixture
def train(database, submit):
    """Submit a job and let a worker take it."""

    def train(worker="wrk_1", project="default", device="cpu", **resources):
        submit(project, resources={"preemptible": True} | resources)
        return attempts.claim(database, worker, ["default"], DEVICES[device], 60).lease

    return train


def asked(database, lease, device="cpu", seconds=60.0):
    return make_way(database, lease, ["default"], DEVICES[device], seconds)


def test_a_job_makes_way_for_one_of_higher_priority_which_its_slot_takes_next(database, submit, hire, train):
    hire("wrk_1")
    lease = train()
    assert asked(database, lease) is None
    urgent = submit(resources={"priority": 1})
    reason = asked(database, lease)
    assert reason == f"made way for {urgent.id}, whose priority is higher; waiting for a worker"
    attempts.release(database, lease, reason)
    victim = jobs.get_job(database, "default", lease.job_id)
    assert (victim.state, victim.state_reason) == ("queued", reason)
    assert attempts.claim(database, "wrk_1", ["default"], ["cpu"], 60).lease.job_id == urgent.id


@pytest.mark.parametrize("priority", [0, -1])
def test_nobody_makes_way_for_a_priority_that_is_not_higher(database, submit, hire, train, priority):
    hire("wrk_1")
    lease = train()
    submit(resources={"priority": priority})
    assert asked(database, lease) is None


def test_nobody_makes_way_where_a_slot_is_free(database, submit, hire, train):
    hire("wrk_1")
    hire("wrk_2")
    lease = train()
    submit(resources={"priority": 1})
    assert asked(database, lease) is None


def test_a_free_slot_that_cannot_take_it_does_not_count(database, submit, hire, train):
    hire("wrk_gpu", device="cuda")
    hire("wrk_cpu")
    lease = train("wrk_gpu", device="cuda")
    submit(resources={"priority": 1, "device": "cuda"})
    assert asked(database, lease, "cuda")


def test_who_could_not_give_it_a_place_goes_on(database, submit, hire, train):
    hire("wrk_cpu")
    hire("wrk_gpu", device="cuda")
    on_cpu, on_gpu = train("wrk_cpu", priority=-5), train("wrk_gpu", device="cuda")
    submit(resources={"priority": 1, "device": "cuda"})
    assert asked(database, on_cpu) is None
    assert asked(database, on_gpu, "cuda")


def test_the_lowest_priority_makes_way_and_of_those_the_youngest(database, submit, hire, train):
    hire("wrk_1", slots=4)
    high, older, younger = train(priority=1), train(), train()
    fixed = train(preemptible=False, priority=-1)
    submit(resources={"priority": 2})
    assert [bool(asked(database, lease)) for lease in (high, older, younger)] == [False, False, True]
    assert jobs.get_job(database, "default", fixed.job_id).state == "running"


def test_as_many_make_way_as_wait_however_often_and_at_once_they_ask(database, submit, hire, train):
    hire("wrk_1", slots=6)
    leases = [train() for _ in range(6)]
    for _ in range(2):
        submit(resources={"priority": 1})
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda lease: [asked(database, lease) for _ in range(4)], leases))
    assert [sum(map(bool, said)) for said in answers] == [0, 0, 0, 0, 1, 1]


def test_once_its_time_is_up_another_makes_way(database, submit, hire, train):
    hire("wrk_1", slots=2)
    first, second = train(), train()
    submit(resources={"priority": 1})
    assert asked(database, second, seconds=-1.0)
    assert asked(database, first) is None
    assert asked(database, second)
    assert asked(database, first) is None


def test_the_owner_does_not_hear_of_another_projects_job(database, submit, hire, train):
    hire("wrk_1")
    lease = train()
    submit("other", resources={"priority": 1})
    assert asked(database, lease) == "made way for a job of higher priority; waiting for a worker"


def test_a_job_that_is_cancelled_or_paused_or_anothers_makes_no_way(database, submit, hire, train):
    hire("wrk_1", slots=2)
    paused, lost = train(), train()
    submit(resources={"priority": 1})
    jobs.pause(database, "default", paused.job_id)
    assert asked(database, paused) is None
    attempts.release(database, lost, "lost")
    assert asked(database, lost) is None


def test_leases_for_making_way_are_forgotten(database, submit, hire, train):
    hire("wrk_1")
    lease = train()
    submit(resources={"priority": 1})
    assert asked(database, lease, seconds=-1.0)
    with database.write() as session:
        forget_ways(session)
        assert session.scalars(select(LeaseRow)).all() == []
