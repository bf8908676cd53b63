"""An attempt ends well or is ended, and what it has done is kept or done again with the same bits."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from storage import jobs
from storage.artifacts import FileArtifacts
from storage.settings import Settings
from tests.servers import is_alive, wait_until
from tests.worker.floor import MINE, Floor, trainers
from worker.process import Child, wait_until_warm
from worker.supervisor import TRAIN

LONG = {"epochs": 1800, "evaluate_every_epochs": 50, "checkpoint_every_steps": 100}
"""3,600 steps: a second or two."""
BROAD = {"name": "mlp", "hidden": [400, 400]}
"""Of so many FLOPs a step that a second thread helps."""


@pytest.fixture
def floor(sqlite_url, tmp_path):
    """A floor with a fast lease, on SQLite."""

    def make(**settings):
        return Floor(Settings.model_validate({"home": tmp_path, "database_url": sqlite_url} | settings))

    return make


def pause(floor, job, step):
    """Let a job write a checkpoint some steps behind `step`."""
    with floor.attempting():
        floor.wait_for_step(job, step)
        jobs.pause(floor.database, MINE, job.id)
    return floor.look(job)


def go_on(floor, job):
    jobs.resume(floor.database, MINE, job.id)
    floor.attempt()
    return floor.look(job)


def test_a_job_whose_newest_checkpoint_is_damaged_goes_on_from_the_one_before_and_says_so(floor):
    floor = floor()
    reference, job = floor.submit(training=LONG), floor.submit(training=LONG)
    floor.attempt()
    paused = pause(floor, job, 220)
    kept = floor.checkpoints(job)
    path = floor.file(kept[-1].sha256)
    path.write_bytes(path.read_bytes()[:-100])
    done = go_on(floor, job)
    assert paused.progress.step == kept[-1].step
    (warning,) = floor.events(job, "warning")
    assert warning.data["code"] == "checkpoint_unreadable"
    assert warning.data["step"] == kept[-2].step
    assert f"the checkpoint of step {kept[-1].step} cannot be read" in warning.data["message"]
    assert done.weights_sha256 == floor.look(reference).weights_sha256
    assert floor.curves(job) == floor.curves(reference)
    assert done.metrics == floor.look(reference).metrics


def test_a_trainer_that_hangs_is_ended_and_its_job_tried_again(floor):
    floor = floor()
    job = floor.submit(training=LONG, resources={"max_silent_seconds": 2})
    with floor.attempting():
        trainer = floor.wait_for_step(job, 100)
        os.kill(trainer, signal.SIGSTOP)
    assert not is_alive(trainer)
    waiting = floor.look(job)
    assert waiting.state == "queued"
    assert f"got no further than {waiting.progress.step} steps for 2 s; trying again from step" in waiting.state_reason
    floor.attempt()
    assert floor.look(job).state == "succeeded"


class StoreThatHangs(FileArtifacts):
    """Files on a network file system that does not answer."""

    def path(self, sha256):
        silent = self.folder / "silent"
        os.mkfifo(silent)  # whoever opens it waits for a writer
        return silent


class SlowStore(FileArtifacts):
    """Files on a slow disk."""

    def put(self, blocks):
        time.sleep(0.3)
        return super().put(blocks)


def test_a_trainer_that_never_pauses_does_not_keep_its_job_from_being_reported_and_cancelled(floor):
    floor = floor()
    floor.artifacts = SlowStore(floor.artifacts.folder)
    job = floor.submit()
    wait_until_warm()
    with floor.attempting("tests.worker.work:save_again_and_again"):  # to store all of them takes 45 s
        wait_until(lambda: floor.checkpoints(job), 30, "a checkpoint")
        jobs.cancel(floor.database, MINE, job.id)
        wait_until(lambda: floor.look(job).state == "cancelled", 10, "the end")


def test_data_that_never_come_end_the_job_as_stuck_once_its_attempts_are_used_up(floor):
    floor = floor()
    table = "a,b\n" + "".join(f"{row},{row * row % 7}\n" for row in range(40))
    resources = {"max_silent_seconds": 1.5, "max_attempts": 1}
    job = floor.submit(dataset={"id": floor.upload(table)}, target="b", resources=resources)
    floor.artifacts = StoreThatHangs(floor.artifacts.folder)
    floor.attempt()
    failed = floor.look(job)
    assert (failed.state, failed.error.code) == ("failed", "stuck")
    assert "resources.max_silent_seconds" in failed.error.hint


def test_data_that_are_gone_fail_the_job_at_once(floor):
    floor = floor()
    table = "a,b\n" + "".join(f"{row},{row * row % 7}\n" for row in range(40))
    job = floor.submit(dataset={"id": floor.upload(table)}, target="b")
    floor.arrays(job).unlink()
    floor.attempt()
    failed = floor.look(job)
    assert (failed.state, failed.attempt, failed.error.code) == ("failed", 1, "bad_data")


def test_what_would_fail_again_is_not_tried_again(floor):
    floor = floor()
    job = floor.submit(dataset={"name": "diabetes"}, optimizer={"name": "sgd", "lr": 100})
    floor.attempt()
    failed = floor.look(job)
    assert (failed.state, failed.attempt, failed.error.code) == ("failed", 1, "diverged")


WIDE = {
    "dataset": {"name": "digits"},
    "model": {"name": "mlp", "hidden": [16_000]},
    "training": {"batch_size": 1024, "epochs": 3},
}


@pytest.fixture
def tight(floor):
    """A floor on which a training may take 130 MB more than a trainer that waits: too little for two of 65 MB."""
    wide = floor()
    waiting = Child(TRAIN)
    (trainer,) = wait_until(trainers, what="the trainer")
    pages = int(Path(f"/proc/{trainer}/statm").read_text().split()[5])
    waiting.kill()
    waiting.end(0)
    return floor(trainer_memory_bytes=pages * os.sysconf("SC_PAGE_SIZE") + (130 << 20)), wide


def test_out_of_memory_names_what_would_fit_and_a_neighbour_does_not_notice(tight):
    tight, _ = tight
    job, neighbour = tight.submit(**WIDE), tight.submit()
    with tight.attempting():
        tight.attempt()
    failed = tight.look(job)
    assert (failed.state, failed.attempt, failed.error.code) == ("failed", 1, "out_of_memory")
    assert "more were asked for" in failed.error.message
    assert "set training.batch_size to " in failed.error.hint
    assert tight.look(neighbour).state == "succeeded"


def test_out_of_memory_is_tried_again_with_smaller_batches_and_the_same_steps_where_that_is_allowed(tight):
    tight, wide = tight
    reference = wide.submit(**WIDE)
    wide.attempt()
    job = tight.submit(**WIDE, resources={"out_of_memory": "smaller_batch", "max_attempts": 1})
    while (now := tight.look(job)).state == "queued":
        tight.attempt()
    assert now.state == "succeeded"
    training = now.spec.training
    assert training.batch_size < 1024
    assert training.batch_size * training.accumulate_batches == 1024
    reasons = [change.reason for change in now.transitions if change.state == "queued"]
    assert f"trying again from the first step with batches of {training.batch_size}" in reasons[-1]
    ours, whole = tight.curves(job)["train/loss"], wide.curves(reference)["train/loss"]
    assert ours[0] == whole[0]
    np.testing.assert_allclose(ours[1], whole[1], rtol=1e-3)


def test_a_small_run_takes_one_thread_of_however_many(floor):
    floor = floor()
    floor.threads = 2
    job = floor.submit(training={"epochs": 2})
    floor.attempt()
    assert floor.look(job).environment.threads == 1


def test_a_run_that_goes_on_with_other_threads_says_that_its_bits_may_differ(floor):
    floor = floor()
    job = floor.submit(model=BROAD, training={"epochs": 150, "checkpoint_every_steps": 20})
    pause(floor, job, 20)
    same = floor.look(job)
    assert same.warnings == job.warnings
    floor.threads = 2
    done = go_on(floor, job)
    assert (done.state, done.environment.threads) == ("succeeded", 2)
    (warning,) = [one for one in done.warnings if one.code == "environment_changed"]
    assert "1 thread and" in warning.message
    assert "2 threads and" in warning.message
    assert [event.data["code"] for event in floor.events(job, "warning")] == ["environment_changed"]


@pytest.fixture
def cut_off(postgres, postgres_url, tmp_path):
    """A floor whose database can be away."""

    def make(**settings):
        return Floor(Settings.model_validate({"home": tmp_path, "database_url": postgres_url} | settings))

    yield make
    if postgres.returncode is not None:
        postgres.start()
        wait_until(postgres.answers, 30, "PostgreSQL")


def test_while_the_database_is_away_a_training_goes_on_and_nothing_of_it_is_lost(cut_off, postgres):
    floor = cut_off(unreported_points=200)
    reference, job = floor.submit(training=LONG), floor.submit(training=LONG)
    floor.attempt()
    with floor.attempting():
        floor.wait_for_step(job, 100)
        postgres.kill()
        threading.Event().wait(2)
        postgres.start()
    assert floor.look(job).attempt == 1
    assert floor.look(job).weights_sha256 == floor.look(reference).weights_sha256
    assert floor.curves(job) == floor.curves(reference)


def test_a_worker_that_is_cut_off_for_longer_than_its_lease_and_grace_stops_its_trainer(cut_off, postgres):
    floor = cut_off(lease_seconds=0.5, grace_seconds=0.5)
    job = floor.submit(training=LONG | {"epochs": 500_000})
    with floor.attempting():
        trainer = floor.wait_for_step(job, 100)
        postgres.kill()
        wait_until(lambda: not is_alive(trainer), 30, "the end of the trainer")
        postgres.start()
    waiting = floor.look(job)
    assert (waiting.state, waiting.state_reason) == (
        "queued",
        "its worker could not reach the database; waiting for one that can",
    )
    assert floor.checkpoints(job)[-1].step == waiting.progress.step > 100
