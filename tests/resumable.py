"""A small job for everything that a run may have to be taken up with."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from api_schemas.catalog import FAMILIES
from api_schemas.catalog.optimizers import OptimizerEntry
from api_schemas.datasets import Dataset
from api_schemas.errors import InvalidRequest
from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from tests.parity import CASES, Case, dataset_of, inspected, written_file
from tests.script.catalog import KINDS, jobs_of
from tests.training.test_every_optimizer import choices
from training.data.prepare import prepare
from training.loop import Run

Job = dict[str, Any]

_NETWORK = {"name": "mlp", "hidden": [16, 8], "normalization": {"name": "batch_norm"}, "dropout": 0.3}
_PLAIN: Job = {
    "dataset": {"name": "iris"},
    "split": {"test": 0.1},
    "model": _NETWORK,
    "optimizer": {"name": "adamw", "weight_decay": 0.1},
    "schedule": [{"name": "linear_warmup", "steps": 6}, {"name": "cosine"}],
    "training": {"epochs": 4, "batch_size": 16},
}
_LAYERS_OF_IMAGES = [
    {"name": "flatten"},
    {"name": "unflatten", "shape": [1, 8, 8]},
    {"name": "residual", "layers": [{"name": "conv2d", "channels": 4, "kernel": 3, "padding": 1}]},
    {"name": "normalization"},
    {"name": "activation", "activation": {"name": "prelu"}},
    {"name": "max_pool"},
    {"name": "global_average_pool"},
    {"name": "dropout"},
    {"name": "linear"},
]
_LAYERS_OF_SIGNALS = [{"name": "conv1d", "channels": 4, "kernel": 3}, {"name": "average_pool"}, {"name": "flatten"}]


def _training(**knobs: Any) -> Job:
    return {"training": _PLAIN["training"] | knobs}


FEATURES: dict[str, Job] = {
    "accumulation": _training(accumulate_batches=3),
    "whole batches alone": _training(accumulate_batches=2, drop_last=True),
    "clipping by norm": _training(gradient_clip_norm=0.5),
    "clipping by value": _training(gradient_clip_value=0.05),
    "clipping by percentile": _training(gradient_clip_percentile=40),
    "groups of weights": _training(decay_norms_and_biases=False, layer_rates={"0.*": 0.1}),
    "averaging from the middle on": _training(averaging={"name": "swa", "start": 0.4, "every": 2}),
    "early stopping": _training(epochs=20, early_stopping={"patience": 2, "min_delta": 0.05}, seed=3),
    "the best weights": _training(keep="best", best_metric="val/loss"),
    "the best average": _training(keep="best", averaging={"name": "ema", "decay": 0.9}),
    "the best where the optimizer wants it judged": {
        **_training(keep="best"),
        "optimizer": {"name": "schedulefreeadamw"},
        "schedule": [{"name": "constant"}],
    },
    "rare evaluations": _training(evaluate_every_epochs=3, checkpoint_every_steps=2),
    "schedules of everything": {
        "schedule": [{"name": "linear_warmup", "steps": 3}, {"name": "plateau", "patience": 0, "gamma": 0.5}],
        "momentum_schedule": [{"name": "linear", "final": 0.5}],
        "weight_decay_schedule": [{"name": "cosine"}],
    },
    "activation checkpointing": _training(activation_checkpointing=True),
    **{precision: _training(precision=precision) for precision in ("float64", "tf32", "bfloat16", "float16")},
    "float16 that overflows": {
        "dataset": {"name": "diabetes"},
        "preprocessing": {"target": {"name": "none"}},
        **_training(precision="float16"),
    },
    "a learning rate that is too large": {
        "dataset": {"name": "diabetes"},
        "preprocessing": {"target": {"name": "none"}},
        "model": {"name": "linear"},
        "optimizer": {"name": "sgd", "lr": 100},
    },
    "weights of another model": {"init": {"job": "job_1", "weights": ["0.*", "1.*"], "freeze": ["0.*"]}},
    "an optimizer within an optimizer": {"optimizer": {"name": "lookahead", "base": {"name": "rmsprop"}}},
    "layers of images": {
        "dataset": {"name": "bars", "n": 120},
        "model": {"name": "layers", "layers": _LAYERS_OF_IMAGES},
    },
    "layers of signals": {
        "dataset": {"name": "adding", "n": 200},
        "model": {"name": "layers", "dimensions": 1, "layers": [*_LAYERS_OF_SIGNALS, {"name": "linear"}]},
    },
}
"""What is no entry of the catalog."""
_KNOBS = {
    "lbfgs": {"max_iter": 3},
    "rmsprop": {"momentum": 0.9},
    "sgd": {"momentum": 0.9},
    "spectralsphere": {"solver_max_iterations": 10},
}
"""What makes steps short, and lets remember who by default does not."""
UPLOADS: dict[str, Case] = {
    **{
        f"uploaded {encoding}": replace(
            CASES["mlp"], spec=CASES["mlp"].spec | {"preprocessing": {"categorical": {"name": encoding}}}
        )
        for encoding in FAMILIES["encodings"].names()
    },
    **{f"uploaded {name}": CASES[name] for name in ("ft_transformer", "cnn", "cnn of signals")},
}
"""Tables with learned categories, and files of arrays."""


@cache
def catalog_jobs(kind: str) -> dict[str, Job]:
    """A job by kind and name of each entry of a kind."""
    return {f"{kind} {name}": _small(job) for name, job in jobs_of(kind).items()}


@cache
def jobs() -> dict[str, Job]:
    """A job for every entry of the catalog, and for what is none, but for uploads."""
    found = {name: _PLAIN | job for name, job in FEATURES.items()}
    for kind in KINDS:
        found |= catalog_jobs(kind)
    return found


@cache
def longer_jobs() -> dict[str, Job]:
    """Every optimizer at work until all that it does now and then has been done, in float32 and in float64."""
    found: dict[str, Job] = {}
    for name, job in catalog_jobs("optimizers").items():
        for precision in ("float32", "float64"):
            training = {"epochs": 9, "batch_size": 4, "precision": precision}
            long = {**job, "training": training, "model": _NETWORK}
            if _is_taken(long):
                found[f"{name} in {precision}"] = long
    return found


def compiled_jobs() -> dict[str, Job]:
    """What takes a compiler."""
    return {"compiled": _PLAIN | _training(engine="compiled")}


@cache
def chosen_jobs() -> dict[str, Job]:
    """Every optimizer by every choice of its knobs that have few."""
    found: dict[str, Job] = {}
    for name, job in catalog_jobs("optimizers").items():
        entry = OptimizerEntry.members()[job["optimizer"]["name"]]
        for knob in entry.model_fields:
            for value in choices(entry, knob):
                chosen = {**job, "optimizer": job["optimizer"] | {knob: value}}
                if value != getattr(entry(), knob) and _is_taken(chosen):
                    found[f"{name} with {knob} {value}"] = chosen
    return found


def begin(name: str, folder: Path) -> Run:
    """A fresh run of a job.

    Args:
        name: of the job.
        folder: of the job, for what the run begins with.
    """
    if name in UPLOADS:
        return _uploaded(UPLOADS[name], folder)
    job = next(found for made in (jobs, longer_jobs, chosen_jobs, compiled_jobs) if (found := made().get(name)))
    return _run(job, None, None, _teacher(job, folder) if "init" in job else None)


def _run(job: Job, dataset: Dataset | None, arrays: Any, init: Path | None = None) -> Run:
    plan = make_plan(JobSpec.model_validate(job), dataset)
    return Run(plan.spec, plan, prepare(plan.spec, dataset, arrays), torch.device("cpu"), init)


def _uploaded(case: Case, folder: Path) -> Run:
    found = inspected(case, written_file(case, folder))
    return _run({"dataset": {"id": "ds_1"}, **case.job}, dataset_of(found, case.form), found.arrays)


def _teacher(job: Job, folder: Path) -> Path:
    path = folder / "teacher"
    if not path.exists():
        _run({key: value for key, value in job.items() if key != "init"}, None, None).save_model(path)
    return path


def _small(job: Job) -> Job:
    """Models see other images than digits, of which there are fewer; what is about digits itself keeps them."""
    few = deepcopy(job)
    if "optimizer" in few:
        few["optimizer"] |= _KNOBS.get(few["optimizer"]["name"], {})
    if job["dataset"] == {"name": "digits"} and job["model"] != {"name": "mlp", "hidden": [8, 8]}:
        few["dataset"] = {"name": "bars", "n": 120}
    return few


def _is_taken(job: Job) -> bool:
    try:
        make_plan(JobSpec.model_validate(job), None)
    except (InvalidRequest, ValidationError):
        return False
    return True


def names_within(value: Any) -> Iterator[str]:
    """Everything that a job calls by a name."""
    if isinstance(value, dict):
        yield from [value["name"]] if "name" in value else []
        value = list(value.values())
    for item in value if isinstance(value, list) else []:
        yield from names_within(item)
