"""What a supervisor keeps of what its trainer says."""

from __future__ import annotations

import math

from api_schemas.jobs import JobSpec
from storage.attempts import Claim, Lease
from training.events import Evaluation
from worker.news import News


def test_the_best_of_a_metric_is_the_largest_or_the_smallest_as_the_metric_wants_it():
    spec = JobSpec.model_validate({"dataset": {"name": "iris"}})
    news = News(Claim(Lease("job_1", 1, "worker", 30.0), spec, None, None, None, 0, 64.0, {}, []), 0)
    for step, (top, error) in enumerate([(0.7, 0.3), (math.nan, math.nan), (0.9, 0.2), (0.8, 0.4)]):
        news.evaluation(Evaluation(step, {"val/top_2": top, "val/calibration_error": error}))
    told = news.report().metrics
    top, error = told["val/top_2"], told["val/calibration_error"]
    assert (top.best, top.best_step, top.last, top.better) == (0.9, 2, 0.8, "higher")
    assert (error.best, error.best_step, error.last, error.better) == (0.2, 2, 0.4, "lower")
