"""A job is held by one attempt at a time, and what a replaced attempt says is not heard."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import event

from api_schemas.errors import Conflict
from api_schemas.jobs import Checkpoint, JobError
from storage import attempts, jobs
from storage.attempts import LeaseLost, Report
from storage.curves import CurveWriter
from storage.database import now
from storage.metrics import read_metrics
from storage.queue import Waker
from storage.reconcile import reconcile

CHECKPOINT = Checkpoint(step=2, created_at=now(), bytes=3, sha256="abc", last=True)
CRASH = JobError(code="crashed", message="the trainer was killed", hint="")


def claim(database, worker="wrk_1", *, queues=("default",), devices=("cpu",), seconds=60.0):
    return attempts.claim(database, worker, queues, devices, seconds)


def state_of(database, job):
    return jobs.get_job(database, "default", job.id).state


def tell(database, claimed, *values, **news):
    curves = CurveWriter(claimed.lease.job_id)
    attempts.begin(database, claimed.lease, curves, claimed.steps_done)
    first = claimed.steps_done
    curves.add("train/loss", range(first, first + len(values)), values)
    return attempts.report(database, claimed.lease, curves, Report(first + len(values), {}, **news))


def test_a_higher_priority_goes_first_then_the_older(database, submit):
    first, second = submit(), submit()
    urgent = submit(resources={"priority": 5})
    assert [claim(database).lease.job_id for _ in range(3)] == [urgent.id, first.id, second.id]
    assert claim(database) is None


def test_projects_take_turns(database, submit):
    mine = [submit("a") for _ in range(3)]
    theirs = submit("b")
    assert [claim(database).lease.job_id for _ in range(3)] == [mine[0].id, theirs.id, mine[1].id]


def test_a_worker_gets_only_what_it_serves(database, submit):
    gpu, other, anywhere = submit(resources={"device": "cuda"}), submit(resources={"queue": "other"}), submit()
    assert claim(database).lease.job_id == anywhere.id
    assert claim(database) is None
    assert claim(database, queues=["other"]).lease.job_id == other.id
    assert claim(database, devices=["cuda", "cpu"]).lease.job_id == gpu.id


def test_workers_that_claim_at_once_get_different_jobs(database, submit):
    wanted = {submit().id for _ in range(12)}
    got: list[str] = []

    def work() -> None:
        while claimed := claim(database, threading.current_thread().name):
            got.append(claimed.lease.job_id)

    threads = [threading.Thread(target=work, name=f"wrk_{number}") for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == sorted(wanted)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_job_that_another_worker_is_about_to_take_is_passed_over(database, submit):
    first, second = submit(), submit()
    meanwhile = []

    def claim_too(_connection):
        if not meanwhile:
            meanwhile.append(None)
            meanwhile.append(claim(database, "wrk_2"))

    event.listen(database.engine, "commit", claim_too)
    assert claim(database, "wrk_1").lease.job_id == first.id
    assert meanwhile[1].lease.job_id == second.id


def test_a_silent_worker_loses_its_job_and_its_late_words_change_nothing(database, submit, broker_url):
    job = submit()
    late = claim(database, "wrk_late", seconds=0.05)
    tell(database, late, 1.0)
    late_writer = CurveWriter(job.id)
    late_writer.add("train/loss", [1], [9.9])
    time.sleep(0.1)
    assert reconcile(database, Waker(broker_url), "me", 60)
    assert state_of(database, job) == "queued"
    second = claim(database, "wrk_new")
    tell(database, second, 1.0, 0.5)
    for word in (
        lambda: attempts.report(database, late.lease, late_writer, Report(2, {})),
        lambda: attempts.fail(database, late.lease, CRASH),
        lambda: attempts.succeed(database, late.lease, weights_sha256="", model_sha256="", steps_done=2),
        lambda: attempts.release(database, late.lease, "late"),
    ):
        with pytest.raises(LeaseLost):
            word()
    assert state_of(database, job) == "running"
    metrics, _ = read_metrics(database, "default", job.id)
    assert metrics.series[0].value == [1.0, 0.5]


def test_a_worker_that_claims_its_own_lost_job_does_not_hear_its_earlier_attempt(database, submit):
    job = submit()
    early = claim(database)
    tell(database, early, 1.0)
    attempts.crash(database, early.lease, CRASH)
    claim(database)
    with pytest.raises(LeaseLost):
        attempts.report(database, early.lease, CurveWriter(job.id), None)
    with pytest.raises(LeaseLost):
        attempts.succeed(database, early.lease, weights_sha256="", model_sha256="", steps_done=1)
    assert state_of(database, job) == "running"


def test_a_sign_of_life_keeps_the_lease(database, submit, broker_url):
    job = submit()
    claimed = claim(database, seconds=1.5)
    for _ in range(4):
        time.sleep(0.5)
        attempts.report(database, claimed.lease, CurveWriter(job.id), None)
        reconcile(database, Waker(broker_url), "me", 0)
    assert state_of(database, job) == "running"


def test_two_reconcilers_do_not_do_the_same_round(database, broker_url):
    waker = Waker(broker_url)
    assert [reconcile(database, waker, who, 60) for who in ("one", "other")] == [True, False]


def test_a_crash_is_tried_again_until_the_attempts_are_used_up(database, submit):
    job = submit(resources={"max_attempts": 2})
    attempts.crash(database, claim(database).lease, CRASH)
    assert state_of(database, job) == "queued"
    attempts.crash(database, claim(database).lease, CRASH)
    failed = jobs.get_job(database, "default", job.id)
    assert (failed.state, failed.attempt, failed.error) == ("failed", 2, CRASH)


def test_each_further_try_waits_longer(database, submit):
    submit(resources={"max_attempts": 5})
    attempts.crash(database, claim(database).lease, CRASH)
    attempts.crash(database, claim(database).lease, CRASH)
    assert claim(database) is None
    time.sleep(1.1)
    assert claim(database) is not None


def test_a_released_job_has_used_up_no_attempt(database, submit):
    job = submit(resources={"max_attempts": 1})
    attempts.release(database, claim(database).lease, "the worker stopped")
    assert state_of(database, job) == "queued"


def test_an_attempt_goes_on_behind_the_checkpoint_of_the_last(database, submit):
    job = submit()
    first = claim(database)
    tell(database, first, 5.0, 4.0, 3.0, 2.0, checkpoints=[CHECKPOINT])
    attempts.crash(database, first.lease, CRASH)
    second = claim(database)
    assert (second.steps_done, second.checkpoints) == (2, [CHECKPOINT])
    tell(database, second, 3.1)
    metrics, _ = read_metrics(database, "default", job.id)
    assert metrics.series[0].step == [0, 1, 2]
    assert metrics.series[0].value == [5.0, 4.0, 3.1]


@pytest.mark.parametrize(
    ("verb", "asked", "ended"), [("cancel", "cancelling", "cancelled"), ("pause", "pausing", "paused")]
)
def test_a_running_job_learns_that_it_shall_stop_from_the_answer_to_its_report(database, submit, verb, asked, ended):
    job = submit()
    claimed = claim(database)
    getattr(jobs, verb)(database, "default", job.id)
    assert tell(database, claimed, 1.0) == asked
    attempts.stop(database, claimed.lease)
    assert state_of(database, job) == ended


def test_a_cancelled_job_stays_cancelled_whatever_its_worker_says_later(database, submit):
    job = submit()
    claimed = claim(database)
    jobs.cancel(database, "default", job.id)
    attempts.stop(database, claimed.lease)
    with pytest.raises(LeaseLost):
        attempts.succeed(database, claimed.lease, weights_sha256="", model_sha256="", steps_done=1)
    assert jobs.cancel(database, "default", job.id).state == "cancelled"


def test_a_worker_lost_while_its_job_was_being_cancelled_or_paused_ends_as_asked(database, submit, broker_url):
    cancelled, paused = submit(), submit()
    for _ in range(2):
        claim(database, seconds=0.01)
    jobs.cancel(database, "default", cancelled.id)
    jobs.pause(database, "default", paused.id)
    time.sleep(0.05)
    reconcile(database, Waker(broker_url), "me", 60)
    assert [state_of(database, job) for job in (cancelled, paused)] == ["cancelled", "paused"]


@pytest.mark.parametrize(("verb", "most", "ended"), [("cancel", 1, "cancelled"), ("pause", 2, "paused")])
def test_a_job_whose_trainer_dies_when_it_shall_stop_ends_as_asked(database, submit, verb, most, ended):
    job = submit(resources={"max_attempts": most})
    claimed = claim(database)
    getattr(jobs, verb)(database, "default", job.id)
    attempts.crash(database, claimed.lease, CRASH)
    assert state_of(database, job) == ended


def test_a_job_that_a_worker_has_cannot_be_deleted_and_one_that_is_cancelled_cannot_be_paused(database, submit):
    job = submit()
    claim(database)
    with pytest.raises(Conflict, match="cancel it first"):
        jobs.delete_job(database, "default", job.id)
    jobs.cancel(database, "default", job.id)
    with pytest.raises(Conflict, match="cannot be paused"):
        jobs.pause(database, "default", job.id)


@pytest.mark.parametrize(
    ("steps_done", "reason"),
    [
        (230, "all 230 steps are done"),
        (184, "stopped early after step 184: it no longer got better"),
        (
            161,
            "stopped early after step 161: it no longer got better; the last weights are kept, as no average had begun",
        ),
    ],
)
def test_a_job_says_how_it_ended_and_which_weights_it_kept(database, submit, steps_done, reason):
    """SWA takes the weights of every epoch from three quarters on: first after 8 of 10 epochs of 23 steps."""
    stopping = {"early_stopping": {"patience": 1}, "averaging": {"name": "swa"}}
    job = submit(training={"epochs": 10, **stopping})
    assert job.progress.total_steps == 230
    lease = claim(database).lease
    attempts.succeed(database, lease, weights_sha256="w", model_sha256="m", steps_done=steps_done)
    assert jobs.get_job(database, "default", job.id).state_reason == reason


def test_the_log_has_every_change_of_state_numbered_without_gaps(database, submit):
    job = submit()
    claimed = claim(database)
    tell(database, claimed, 1.0, events=[("evaluation", {"step": 0, "val/loss": 1.5}), ("checkpoint", {"step": 1})])
    attempts.succeed(database, claimed.lease, weights_sha256="w", model_sha256="m", steps_done=1)
    done, events = jobs.get_events(database, "default", job.id, 0, 100)
    assert [event.id for event in events] == list(range(1, 7))
    assert [event.type for event in events] == ["state", "attempt", "state", "evaluation", "checkpoint", "state"]
    assert [change.state for change in done.transitions] == ["queued", "running", "succeeded"]
