"""Jobs that a trainer trains together end each as if it had been alone."""

from __future__ import annotations

import os
import signal

import pytest
from sqlalchemy import event, update

from storage import attempts, jobs
from storage.settings import Settings
from storage.tables import JobRow
from tests.servers import is_alive, wait_until
from tests.worker.floor import MINE, Floor

STEPS = {"epochs": 60, "evaluate_every_epochs": 10}
ENDLESS = {"epochs": 500_000}
SMALL = {"model": {"name": "mlp", "hidden": [8]}}
STOPS_EARLY = {"early_stopping": {"patience": 1, "min_delta": 10}}


@pytest.fixture
def floor(sqlite_url, tmp_path):
    return Floor(Settings(home=tmp_path, database_url=sqlite_url))


def submit(floor, count, training=STEPS, **spec):
    return [floor.submit(**SMALL | spec, training={**training, "seed": seed}) for seed in range(count)]


def test_each_ends_as_it_would_alone_by_itself_early_diverged_or_cancelled(floor):
    ways = [
        {"training": STEPS},
        {"training": STEPS | STOPS_EARLY},
        {"training": STEPS, "optimizer": {"name": "sgd", "lr": 1000}},
        {"training": STEPS | {"seed": 5}, "optimizer": {"name": "sgd", "lr": 0.1}},
    ]
    alone = [floor.submit(**SMALL | way) for way in ways]
    for _ in ways:
        floor.attempt()
    together = [floor.submit(**SMALL | way) for way in ways]
    (endless,) = submit(floor, 1, ENDLESS)
    with floor.attempting(together=5):
        wait_until(lambda: all(floor.look(job).terminal for job in together), 60, "the ends of the others")
        jobs.cancel(floor.database, MINE, endless.id)
    assert floor.look(endless).state == "cancelled"
    for one, other in zip(map(floor.look, alone), map(floor.look, together), strict=True):
        assert (one.state, one.state_reason, one.error) == (other.state, other.state_reason, other.error)
        assert (one.weights_sha256, one.metrics) == (other.weights_sha256, other.metrics)
        assert floor.curves(one) == floor.curves(other)
    assert [floor.look(job).state for job in together] == ["succeeded", "succeeded", "failed", "succeeded"]


def test_one_that_is_paused_goes_on_alone_and_ends_the_same(floor):
    (reference,) = submit(floor, 1, STEPS | {"epochs": 3000})
    floor.attempt()
    job, other = submit(floor, 2, STEPS | {"epochs": 3000})
    with floor.attempting(together=2):
        floor.wait_for_step(job, 50)
        jobs.pause(floor.database, MINE, job.id)
    assert (floor.look(job).state, floor.look(other).state) == ("paused", "succeeded")
    jobs.resume(floor.database, MINE, job.id)
    floor.attempt()
    done = floor.look(job)
    assert (done.state, done.attempt) == ("succeeded", 2)
    assert done.weights_sha256 == floor.look(reference).weights_sha256
    assert floor.curves(job) == floor.curves(reference)


def test_when_their_trainer_is_killed_each_is_tried_by_itself_and_none_has_used_up_an_attempt(floor):
    together = submit(floor, 2, STEPS | {"epochs": 3000}, resources={"max_attempts": 1})
    with floor.attempting(together=2):
        os.kill(floor.wait_for_step(together[0], 20), signal.SIGKILL)
    for job in map(floor.look, together):
        assert job.state == "queued"
        assert job.state_reason.startswith("the trainer was killed (SIGKILL) while it trained 2 jobs together")
    for _ in together:
        floor.attempt()
    assert [floor.look(job).state for job in together] == ["succeeded", "succeeded"]


def test_one_over_its_time_is_stopped_and_the_others_train_on(floor):
    late = floor.submit(**SMALL, training=ENDLESS, resources={"max_seconds": 0.5})
    (job,) = submit(floor, 1, STEPS | {"epochs": 3000})
    with floor.attempting(together=2):
        wait_until(lambda: floor.look(late).terminal, 30, "the end of its time")
        assert floor.look(job).state == "running"
    assert (floor.look(late).error.code, floor.look(job).state) == ("timeout", "succeeded")


def test_one_whose_lease_is_lost_is_left_to_who_has_it_and_the_others_train_on(floor):
    lost, job = submit(floor, 2, STEPS | {"epochs": 3000})
    with floor.attempting(together=2):
        trainer = floor.wait_for_step(lost, 20)
        with floor.database.write() as session:
            session.execute(update(JobRow).where(JobRow.id == lost.id).values(attempt=7, worker_id="wrk_2"))
        step = floor.look(lost).progress.step
    assert (floor.look(lost).state, floor.look(lost).progress.step) == ("running", step)
    assert (floor.look(job).state, is_alive(trainer)) == ("succeeded", False)


def test_a_worker_that_ends_gives_all_of_them_back(floor):
    together = submit(floor, 3, ENDLESS)
    with floor.attempting(together=3):
        floor.wait_for_step(together[2], 20)
        floor.draining.set()
    for job in together:
        assert floor.look(job).state == "queued"
        assert floor.curves(job)["train/loss"][0] == [*range(floor.checkpoints(job)[-1].step)]
    assert len(attempts.claim_together(floor.database, "wrk_2", ["default"], ["cpu"], 60, room=floor.room(3))) == 3


def test_sixteen_that_end_together_are_hardly_more_transactions_than_one(floor):
    commits = []
    event.listen(floor.database.engine, "commit", commits.append)
    together = submit(floor, 16, {"epochs": 1})
    commits.clear()
    floor.attempt(together=16)
    writes = len(commits)
    assert [floor.look(job).state for job in together] == ["succeeded"] * 16
    assert writes < 8
