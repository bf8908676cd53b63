"""The last two checkpoints of a job are kept, and the best."""

from __future__ import annotations

import math

import pytest

from api_schemas.jobs import JobSpec
from storage.artifacts import Artifact
from storage.attempts import Claim, Lease
from training.events import Evaluation
from worker.news import News


def news_of(spec, checkpoints=()):
    steps_done = checkpoints[-1].step if checkpoints else 0
    job = JobSpec.model_validate({"dataset": {"name": "iris"}, **spec})
    lease = Lease("job_1", 1, "worker", 30.0)
    return News(Claim(lease, job, None, None, None, steps_done, 64.0, {}, list(checkpoints)), steps_done)


def go_on(news, key, values):
    """A checkpoint after each evaluation; returns the steps that are kept each time."""
    kept = []
    for value in values:
        step = news.checkpoints[-1].step + 10 if news.checkpoints else 10
        news.evaluation(Evaluation(step - 1, {key: value}))
        news.checkpoint(step, Artifact(f"digest of {step}", 1000))
        kept.append([checkpoint.step for checkpoint in news.checkpoints])
    return kept


@pytest.mark.parametrize(("key", "sign"), [("val/loss", 1), ("val/accuracy", -1)])
def test_the_last_two_and_the_best_so_far_are_kept(key, sign):
    news = news_of({"training": {"best_metric": key}})
    losses = [3.0, 1.0, 2.0, math.nan, 1.0, 0.5]
    kept = go_on(news, key, [sign * loss for loss in losses])
    assert kept == [[10], [10, 20], [20, 30], [20, 30, 40], [20, 40, 50], [50, 60]]
    assert [(one.best, one.last) for one in news.checkpoints] == [(False, False), (True, True)]


def test_before_an_evaluation_has_a_value_none_is_best():
    news = news_of({"training": {"best_metric": "val/loss"}})
    assert go_on(news, "val/loss", [math.nan] * 3) == [[10], [10, 20], [20, 30]]
    assert [one.metrics for one in news.checkpoints] == [{"val/loss": None}] * 2
    assert not any(one.best for one in news.checkpoints)


def test_the_best_of_an_earlier_attempt_stays():
    earlier = news_of({})
    go_on(earlier, "val/loss", [0.1, 0.2, 0.3])
    again = news_of({}, earlier.checkpoints)
    assert go_on(again, "val/loss", [0.4]) == [[10, 30, 40]]


def test_a_checkpoint_between_two_evaluations_has_the_values_of_the_one_before():
    news = news_of({})
    go_on(news, "val/loss", [0.1])
    news.checkpoint(15, Artifact("between", 1000))
    assert [one.metrics for one in news.checkpoints] == [{"val/loss": 0.1}] * 2
    assert [one.best for one in news.checkpoints] == [True, False]


def test_a_second_checkpoint_of_the_same_step_takes_the_place_of_the_first():
    news = news_of({})
    go_on(news, "val/loss", [0.1])
    news.checkpoint(10, Artifact("again", 1000))
    assert [one.sha256 for one in news.report().checkpoints] == ["again"]
