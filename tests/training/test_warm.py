"""The process that trainers are forked from."""

import subprocess
import sys

FIRST_JOB = """
import sys
import torch
import training.loop
import training.warm
from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from training.data.prepare import prepare

loaded = set(sys.modules)
plan = make_plan(JobSpec.model_validate({"dataset": {"name": "digits"}}), None)
run = training.loop.Run(plan.spec, plan, prepare(plan.spec, None, None), torch.device("cpu"))
next(run.events())
heavy = [name for name in set(sys.modules) - loaded if not name.startswith("sklearn.datasets.data")]
print(len(heavy), sorted(heavy))
"""


def test_the_first_job_of_a_warm_process_loads_next_to_nothing():
    told = subprocess.run([sys.executable, "-c", FIRST_JOB], capture_output=True, text=True, check=True).stdout
    assert int(told.split()[0]) < 20, told
