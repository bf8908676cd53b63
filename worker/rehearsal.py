"""A small training before any is asked for, so that none pays for what is done only the first time."""

from __future__ import annotations

import structlog
import torch

from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from training.data.prepare import prepare
from training.fused import Group
from training.loop import Run

_MODELS = ({"name": "mlp", "hidden": [8]}, {"name": "cnn"})
_BATCH = 512

log = structlog.get_logger()


def rehearse() -> None:
    """Train two networks for some steps on one thread: no other is started, which a fork would not carry over."""
    torch.set_num_threads(1)
    for model in _MODELS:
        fields = {"dataset": {"name": "digits"}, "model": model, "training": {"epochs": 1, "batch_size": _BATCH}}
        try:
            _train(JobSpec.model_validate(fields))
        except Exception:  # whatever is wrong, the job that meets it says so
            log.exception("rehearsal_failed")


def _train(spec: JobSpec) -> None:
    plan = make_plan(spec, None)
    run = Run(plan.spec, plan, prepare(plan.spec, None, None), torch.device("cpu"))
    for _ in Group([run]).events():
        pass
