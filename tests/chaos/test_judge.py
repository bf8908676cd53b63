"""The judge of chaos sees what is wrong: a run in which it finds nothing says something."""

from __future__ import annotations

from itertools import chain

import pytest

from tests.chaos.agent import Strike
from tests.chaos.customers import Order
from tests.chaos.faults import Fault
from tests.chaos.judge import faults_of_curves, faults_of_life
from tests.chaos.logs import Happened
from tests.chaos.recovery import recoveries

RIGHT = {"train/loss": ([0, 1, 2], ["0.5", "0.25", "0.125"])}


def order(wish="train", end="succeeded"):
    return Order("job_1", "iris", wish, 0.0, end)


def log_of(*states, number=1):
    return [Happened(100.0 + at, at, "state", state, "", "") for at, state in enumerate(states, start=number)]


@pytest.mark.parametrize(
    "series",
    [
        {},
        {"train/loss": ([0, 2], ["0.5", "0.125"])},
        {"train/loss": ([0, 1, 1, 2], ["0.5", "0.25", "0.25", "0.125"])},
        {"train/loss": ([0, 1], ["0.5", "0.25"])},
        {"train/loss": ([0, 1, 2], ["0.5", "0.25", "0.12500001"])},
        {**RIGHT, "val/loss": ([0], ["1.0"])},
    ],
    ids=["no curve", "a gap", "a twin", "too short", "another bit", "a series too many"],
)
def test_a_wrong_curve_of_a_job_that_succeeded_is_found(series):
    assert list(faults_of_curves(order(), series, RIGHT, True))


def test_a_right_curve_is_right_and_that_of_a_cancelled_job_may_be_its_beginning():
    assert not list(faults_of_curves(order(), RIGHT, RIGHT, True))
    beginning = {"train/loss": ([0, 1], ["0.5", "0.25"])}
    assert not list(faults_of_curves(order("cancel", "cancelled"), beginning, RIGHT, False))


@pytest.mark.parametrize(
    ("wish", "states"),
    [
        ("train", ["queued", "running"]),
        ("train", ["queued", "running", "succeeded", "succeeded"]),
        ("train", ["queued", "cancelled"]),
        ("train", ["queued", "running", "failed"]),
        ("cancel", ["queued", "running", "cancelling", "cancelled", "succeeded"]),
    ],
    ids=["no end", "two ends", "cancelled by nobody", "failed", "cancelled, then succeeded"],
)
def test_a_wrong_life_is_found(wish, states):
    assert list(faults_of_life(order(wish, states[-1]), log_of(*states)))


def test_a_missing_event_is_found_and_a_whole_life_is_right():
    right = log_of("queued", "running", "succeeded")
    assert not list(faults_of_life(order(), right))
    assert list(faults_of_life(order(), [right[0], right[2]]))


def test_what_an_attempt_told_twice_is_found_and_another_attempt_may_tell_it_again():
    def told(*kinds):
        about = [(kind, "", 30 if kind == "evaluation" else None) for kind in kinds]
        middle = [Happened(101.0, at, kind, state, "", "", step) for at, (kind, state, step) in enumerate(about, 2)]
        return [*log_of("queued"), *middle, *log_of("succeeded", number=len(middle) + 2)]

    assert list(faults_of_life(order(), told("attempt", "evaluation", "evaluation")))
    assert not list(faults_of_life(order(), told("attempt", "evaluation", "attempt", "evaluation")))


def test_an_end_that_is_not_what_its_customer_saw_is_found():
    assert list(faults_of_life(order(end="cancelled"), log_of("queued", "running", "succeeded")))


def test_a_recovery_counts_from_the_death_of_the_worker_that_had_the_job():
    begun = [Happened(10.0, 1, "attempt", "", "", "wrk_1"), Happened(10.0, 2, "state", "running", "", "")]
    back = [Happened(14.5, 3, "state", "queued", "lost; trying again from step 0", "")]
    again = [Happened(15.0, 4, "attempt", "", "", "wrk_2"), Happened(15.0, 5, "state", "running", "", "")]
    log = [*begun, *back, *again, Happened(16.0, 6, "state", "succeeded", "", "")]
    strikes = [Strike(Fault(0, "kill", f"worker-{pid}"), 11.0, pid, 11.0) for pid in (1, 2)]
    (recovery,) = recoveries(strikes, {"job_1": log}, {"wrk_1": 1, "wrk_2": 2})
    assert (recovery.target, recovery.claimed_seconds, recovery.progress_seconds) == ("worker-1", 4.0, 5.0)


def test_while_the_database_is_away_too_a_recovery_has_not_begun():
    log = list(
        chain(
            [Happened(10.0, 1, "attempt", "", "", "wrk_1"), Happened(10.0, 2, "state", "running", "", "")],
            [Happened(19.0, 3, "attempt", "", "", "wrk_2"), Happened(20.0, 4, "state", "succeeded", "", "")],
        )
    )
    strikes = [
        Strike(Fault(0, "kill", "worker-1"), 11.0, 1, 11.0),
        Strike(Fault(0, "kill", "postgres"), 12.0, None, 17.0),
    ]
    found = recoveries(strikes, {"job_1": log}, {"wrk_1": 1})
    assert [recovery.claimed_seconds for recovery in found] == [2.0]
