"""What people want to get out of a small image network, they get, over HTTP and in seconds."""

from __future__ import annotations

from statistics import median

from tests.servers import wait_until

DIGITS = {
    "dataset": {"name": "digits"},
    "preprocessing": {"numeric": {"name": "channel_standard"}},
    "model": {"name": "cnn", "channels": [32, 64], "normalization": {"name": "batch_norm"}, "dropout": 0.2},
    "optimizer": {"name": "adamw", "lr": 0.003},
    "schedule": [{"name": "cosine"}],
}


def test_digits_as_images_are_told_apart_by_a_cnn_with_batch_norm(anneal):
    jobs = [anneal.client.post("/v1/jobs", json=seeded(seed)).json() for seed in range(5)]
    ended = [wait_until(lambda job=job: result(anneal.client, job), 120, "the digits to be learned") for job in jobs]
    assert [job["state"] for job in ended] == ["succeeded"] * 5
    assert median(job["metrics"]["test/accuracy"]["last"] for job in ended) >= 0.985


def seeded(seed):
    split = {"validation": 0.0, "test": 0.2, "seed": seed}
    return DIGITS | {"split": split, "training": {"epochs": 10, "seed": seed}}


def result(client, job):
    job = client.get(f"/v1/jobs/{job['id']}").json()
    return job if job["terminal"] else None
