"""Fixtures of the tests that train in this process."""

from __future__ import annotations

import pytest
import torch

from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from training.data.prepare import prepare
from training.loop import Run

CPU = torch.device("cpu")


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """A run's bits depend on the number of threads; and other tests run beside."""
    torch.set_num_threads(1)


@pytest.fixture
def make_run():
    """A run of a job on iris, or whatever else the job names."""

    def make(**job):
        plan = make_plan(JobSpec.model_validate({"dataset": {"name": "iris"}, **job}), None)
        return Run(plan.spec, plan, prepare(plan.spec, None, None), CPU)

    return make
