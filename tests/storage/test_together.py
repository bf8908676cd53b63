"""Jobs of the same network and data are claimed together, reported on together, and end each by itself."""

from __future__ import annotations

import threading
from functools import partial

import pytest
from sqlalchemy import event, update

from api_schemas.jobs import JobError
from storage import attempts, endings, jobs, workers
from storage.attempts import LeaseLost, Report, Word
from storage.companions import Room
from storage.curves import CurveWriter
from storage.metrics import read_metrics
from storage.preemption import make_way
from storage.tables import JobRow
from storage.workers import WorkerIdentity

SMALL = {"model": {"name": "mlp", "hidden": [16]}}
CRASH = JobError(code="crashed", message="the trainer was killed", hint="")


@pytest.fixture
def wait(submit):
    """Submit a small job, with what it shall be different in."""

    def wait(project="default", **spec):
        return submit(project, **SMALL | spec).id

    return wait


def claim(database, most=32, *, slot=0, slots=1, worker="wrk_1", most_running=None, devices=("cpu",)):
    room = Room(slot, slots, most)
    claims = attempts.claim_together(database, worker, ["default"], devices, 60, most_running, room)
    return [claimed.lease.job_id for claimed in claims]


def leases(database):
    claims = attempts.claim_together(database, "wrk_1", ["default"], ["cpu"], 60, None, Room(0, 1, 32))
    return [claimed.lease for claimed in claims]


def state_of(database, job_id):
    return jobs.get_job(database, "default", job_id).state


def test_jobs_of_one_network_and_data_are_taken_together_whatever_else_they_differ_in(database, wait):
    together = [
        wait(),
        wait(optimizer={"name": "sgd", "lr": 0.1}),
        wait(training={"seed": 7, "epochs": 3}),
        wait("another"),
    ]
    apart = [
        wait(model={"name": "mlp", "hidden": [32]}),
        wait(dataset={"name": "iris"}),
        wait(training={"batch_size": 8}),
        wait(resources={"priority": -1}),
        wait(resources={"preemptible": True}),
    ]
    alone = wait(resources={"fuse": False})
    assert sorted(claim(database)) == sorted(together)
    for _ in [*apart, alone]:
        assert len(claim(database)) == 1
    assert claim(database) == []


def test_the_first_of_the_line_are_taken_and_projects_take_turns(database, wait):
    mine, theirs = [wait("a") for _ in range(4)], [wait("b") for _ in range(2)]
    assert claim(database, 4) == [mine[0], theirs[0], mine[1], theirs[1]]
    assert claim(database, 4) == mine[2:]


def test_a_project_has_no_more_jobs_trained_together_than_it_may_have_running(database, wait):
    mine, theirs = [wait("a") for _ in range(5)], [wait("b") for _ in range(5)]
    assert sorted(claim(database, most_running=2)) == sorted(mine[:2] + theirs[:2])
    assert claim(database, most_running=2) == []


def test_what_waits_is_shared_out_among_the_slots_that_train_nothing(database, wait):
    waiting = [wait() for _ in range(7)]
    assert claim(database, slot=0, slots=3) == waiting[:3]
    assert claim(database, slot=1, slots=3) == waiting[3:5]
    assert claim(database, slot=2, slots=3) == waiting[5:]


def test_what_gains_nothing_on_a_cpu_is_taken_alone_there_and_together_on_a_gpu(database, submit):
    large = [submit(model={"name": "mlp", "hidden": [512, 512]}).id for _ in range(3)]
    assert claim(database) == large[:1]
    assert claim(database, devices=["cuda", "cpu"]) == large[1:]


def test_workers_that_claim_together_at_once_get_different_jobs(database, wait):
    wanted = [wait() for _ in range(24)]
    got = []

    def work():
        while found := claim(database, 5, worker=threading.current_thread().name):
            got.extend(found)

    threads = [threading.Thread(target=work, name=f"wrk_{number}") for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == wanted


def test_after_a_crash_in_company_each_is_tried_by_itself_and_its_failures_are_its_own(database, wait):
    waiting = [wait(resources={"max_attempts": 1}) for _ in range(2)]
    for lease in leases(database):
        attempts.end(database, lease, partial(endings.part, reason="the trainer was killed"))
    first = attempts.claim_together(database, "wrk_1", ["default"], ["cpu"], 60, None, Room(0, 1, 32))
    assert [claimed.lease.job_id for claimed in first] == waiting[:1]
    attempts.crash(database, first[0].lease, CRASH)
    assert [state_of(database, job) for job in waiting] == ["failed", "queued"]
    assert claim(database) == waiting[1:]


def test_a_job_that_crashed_alone_is_not_trained_with_others_again(database, wait):
    poison = wait()
    attempts.crash(database, leases(database)[0], CRASH)
    others = [wait() for _ in range(2)]
    assert [claim(database), claim(database)] == [[poison], others]


def test_attempts_report_in_one_transaction_and_one_that_lost_its_lease_keeps_no_other_from_it(database, wait):
    waiting = [wait() for _ in range(3)]
    mine = leases(database)
    with database.write() as session:
        session.execute(update(JobRow).where(JobRow.id == waiting[1]).values(attempt=2))
    commits = []
    event.listen(database.engine, "commit", commits.append)
    states = attempts.report_together(database, [word(lease) for lease in mine])
    assert (states, len(commits)) == (["running", None, "running"], 1)
    points = [read_metrics(database, "default", job)[0].series for job in waiting]
    assert [len(series) for series in points] == [1, 0, 1]


def test_the_last_word_of_an_attempt_is_stored_with_its_last_points(database, wait):
    waiting = [wait() for _ in range(3)]
    jobs.cancel(database, "default", waiting[2])
    mine = leases(database)
    done = partial(endings.succeed, weights_sha256="w", model_sha256="m", steps_done=1)
    failed = partial(endings.fail, error=CRASH)
    said = [word(lease, end) for lease, end in zip(mine, [done, failed], strict=True)]
    assert attempts.report_together(database, said) == ["succeeded", "failed"]
    for job in waiting[:2]:
        found, events = jobs.get_events(database, "default", job, 0, 100)
        assert [entry.id for entry in events] == list(range(1, len(events) + 1))
        assert events[-1].data["state"] == found.state
        assert read_metrics(database, "default", job)[0].series[0].value == [1.0]
    with pytest.raises(LeaseLost):
        attempts.report(database, mine[0], CurveWriter(waiting[0]), None)


def word(lease, ending=None):
    curves = CurveWriter(lease.job_id)
    curves.add("train/loss", [0], [1.0])
    return Word(lease, curves, Report(1, {}, events=[("evaluation", {"step": 0})]), None, ending)


def test_jobs_that_train_together_take_one_slot_and_nobody_makes_way_while_another_is_free(database, wait):
    workers.arrive(database, WorkerIdentity("wrk_1", "here", 1, "cpu", 2, ["default"]), 60)
    interruptible = {"resources": {"preemptible": True}}
    together = [wait(**interruptible) for _ in range(6)]
    assert claim(database, slot=0, slots=2) == together[:3]
    youngest = attempts.Lease(together[2], 1, "wrk_1", 60)
    jobs.cancel(database, "default", together[3])
    urgent = wait(resources={"priority": 1, "fuse": False})
    ask = partial(make_way, database, youngest, ["default"], ["cpu"], 60)
    assert ask() is None
    other = wait(resources={"priority": 2, "fuse": False})
    assert claim(database, slot=1, slots=2) == [other]
    assert ask() == f"made way for {urgent}, whose priority is higher; waiting for a worker"
