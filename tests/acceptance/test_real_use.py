"""What people want to get out of a small network, they get, over HTTP and in seconds."""

from __future__ import annotations

from statistics import median
from typing import Any

import pytest

from tests.servers import wait_until

SEEDS = range(5)

IN_EVERY_RUN = {"digits", "breast_cancer"}
"""The others have an example each, whose one seed is held to nearly as much in every run."""
WANTED: dict[str, tuple[str, float, dict[str, Any]]] = {
    "digits": (
        "test/accuracy",
        0.985,
        {
            "preprocessing": {"numeric": {"name": "channel_standard"}},
            "model": {"name": "cnn", "channels": [32, 64], "normalization": {"name": "batch_norm"}, "dropout": 0.2},
            "optimizer": {"name": "adamw", "lr": 0.003},
            "training": {"epochs": 10},
        },
    ),
    "breast_cancer": (
        "test/accuracy",
        0.965,
        {
            "model": {"name": "mlp", "hidden": [64, 32], "dropout": 0.2},
            "optimizer": {"name": "adamw", "lr": 0.003, "weight_decay": 0.05},
            "training": {"epochs": 30, "batch_size": 32},
        },
    ),
    "wine": (
        "test/accuracy",
        0.97,
        {
            "model": {"name": "mlp", "hidden": [32]},
            "optimizer": {"name": "adamw", "lr": 0.01, "weight_decay": 0.05},
            "training": {"epochs": 30, "batch_size": 16, "drop_last": True},
        },
    ),
    "diabetes": (
        "test/r2",
        0.42,
        {
            "model": {"name": "mlp", "hidden": [32], "dropout": 0.1},
            "optimizer": {"name": "adamw", "lr": 0.003, "weight_decay": 0.1},
            "training": {"epochs": 40, "batch_size": 32},
        },
    ),
    "spirals": (
        "test/accuracy",
        0.99,
        {
            "model": {"name": "mlp", "hidden": [64, 64]},
            "optimizer": {"name": "adam", "lr": 0.01},
            "training": {"epochs": 60},
        },
    ),
}


@pytest.mark.parametrize(
    "dataset", [name if name in IN_EVERY_RUN else pytest.param(name, marks=pytest.mark.verify) for name in WANTED]
)
def test_the_median_over_five_seeds_is_what_one_would_want(anneal, dataset):
    metric, least, spec = WANTED[dataset]
    jobs = [anneal.client.post("/v1/jobs", json=seeded(dataset, spec, seed)).json() for seed in SEEDS]
    ended = [wait_until(lambda job=job: result(anneal.client, job), 120, "the end of the job") for job in jobs]
    assert [job["state"] for job in ended] == ["succeeded"] * len(SEEDS)
    assert median(job["metrics"][metric]["last"] for job in ended) >= least


def seeded(dataset, spec, seed):
    """The job with everything that is drawn by chance drawn anew."""
    return spec | {
        "dataset": {"name": dataset},
        "schedule": [{"name": "cosine"}],
        "split": {"validation": 0.1, "test": 0.2, "seed": seed},
        "training": spec["training"] | {"seed": seed, "evaluate_every_epochs": 10},
    }


def result(client, job):
    job = client.get(f"/v1/jobs/{job['id']}").json()
    return job if job["terminal"] else None
