"""The jobs that are submitted again and again, and how each goes when nothing is wrong."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from client.api import Client

Series = Mapping[str, tuple[list[int], list[str]]]
"""Steps and values by key; a value as the text that it is written as, which tells every bit."""

_MANY_TRIES = {"resources": {"max_attempts": 20}}


def _spec(data: str, epochs: int, every: int, **rest: Any) -> dict[str, Any]:
    training = {"epochs": epochs, "checkpoint_every_steps": every, **rest.pop("training", {})}
    return {"dataset": {"name": data}, "training": training, **_MANY_TRIES, **rest}


LONG = "digits for long"
_MLP = {"name": "mlp", "hidden": [32, 32]}

POOL: dict[str, dict[str, Any]] = {
    "iris with sgd": _spec("iris", 20, 20, optimizer={"name": "sgd", "lr": 0.1}),
    "iris with momentum": _spec("iris", 60, 40, optimizer={"name": "sgd", "lr": 0.05, "momentum": 0.9}),
    "wine with adam": _spec("wine", 40, 25, optimizer={"name": "adam"}),
    "wine with dropout": _spec("wine", 60, 30, model=_MLP | {"dropout": 0.3}, optimizer={"name": "adamw"}),
    "cancer with batch norm": _spec(
        "breast_cancer", 15, 40, model=_MLP | {"normalization": {"name": "batch_norm"}}, optimizer={"name": "rmsprop"}
    ),
    "diabetes with adagrad": _spec("diabetes", 40, 50, optimizer={"name": "adagrad", "lr": 0.05}),
    "iris with an average": _spec(
        "iris", 40, 25, optimizer={"name": "nadam"}, training={"averaging": {"name": "ema", "decay": 0.98}}
    ),
    "iris that ends early": _spec(
        "iris", 200, 50, optimizer={"name": "adam", "lr": 0.01}, training={"early_stopping": {"patience": 5}}
    ),
    "digits on a schedule": _spec(
        "digits", 12, 60, schedule=[{"name": "linear_warmup", "steps": 50}, {"name": "cosine"}]
    ),
    LONG: _spec(
        "digits", 100, 150, model=_MLP | {"dropout": 0.1}, optimizer={"name": "adamw"}, training={"keep": "best"}
    ),
}


@dataclass(frozen=True)
class Reference:
    """A run that nothing disturbed."""

    weights_sha256: str
    series: Series
    seconds: float
    """From its first step to its end, what is shared with others included."""


def run_references(client: Client) -> dict[str, Reference]:
    """Run each job of the pool once."""
    jobs = {name: client.jobs.create(spec) for name, spec in POOL.items()}
    return {name: _reference(client, job.id) for name, job in jobs.items()}


def read_series(http: httpx.Client, job_id: str) -> Series:
    """Every point of a job.

    Raises:
        httpx.HTTPStatusError: there is no such job.
    """
    answer = http.get(f"/v1/jobs/{job_id}/metrics.jsonl").raise_for_status()
    found: Series = defaultdict(lambda: ([], []))
    for line in answer.text.splitlines():
        point = json.loads(line, parse_float=str)
        steps, values = found[point["key"]]
        steps.append(point["step"])
        values.append(str(point["value"] if point["value"] is not None else point["nonfinite"]))
    return dict(found)


def _reference(client: Client, job_id: str) -> Reference:
    job = client.jobs.wait(job_id)
    if job.state != "succeeded" or job.weights_sha256 is None or not (job.started_at and job.finished_at):
        raise RuntimeError(f"an undisturbed run has {job.state}: {job.state_reason}")
    seconds = (job.finished_at - job.started_at).total_seconds()
    return Reference(job.weights_sha256, read_series(client.driver.http, job_id), seconds)
