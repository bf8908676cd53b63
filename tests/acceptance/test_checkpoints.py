"""A job's checkpoints are listed, and it goes on from the last."""

from __future__ import annotations

import pytest

from client.api import Client

SPEC = {
    "dataset": {"name": "wine"},
    "split": {"test": 0.2},
    "optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.9},
    "training": {"epochs": 20, "batch_size": 32, "checkpoint_every_steps": 5},
}


@pytest.fixture(scope="module")
def client(anneal):
    with Client(str(anneal.client.base_url)) as client:
        yield client


def test_the_kept_checkpoints_of_a_job_are_the_last_two_and_the_best(client):
    job = client.jobs.wait(client.jobs.create(SPEC).id)
    assert (job.state, job.spec.training.best_metric) == ("succeeded", "val/accuracy")
    found = list(client.jobs.checkpoints(job.id))
    steps = [checkpoint.step for checkpoint in found]
    total = job.progress.total_steps
    assert steps[:2] == [total, total - 5]
    assert [checkpoint.last for checkpoint in found] == [True, *[False] * (len(found) - 1)]
    accuracy = client.jobs.curve(job.id, "val/accuracy")
    judged = [
        max(at for at in accuracy.step if at < step) for step in range(5, total + 1, 5) if step > accuracy.step[0]
    ]
    wanted = max(accuracy.value[accuracy.step.tolist().index(at)] for at in judged)
    assert [one.metrics["val/accuracy"] for one in found if one.best] == [wanted]


def test_a_job_that_has_not_begun_has_no_checkpoints_and_a_job_that_is_not_there_is_404(anneal):
    job = anneal.client.post("/v1/jobs", json=SPEC | {"resources": {"queue": "nobody"}}).json()
    listed = anneal.client.get(f"/v1/jobs/{job['id']}/checkpoints").json()
    assert listed == {"object": "list", "data": [], "has_more": False, "next_cursor": None}
    assert anneal.client.get("/v1/jobs/job_none/checkpoints").status_code == 404
    assert anneal.client.delete(f"/v1/jobs/{job['id']}").status_code == 204


def test_what_is_best_must_be_something_that_the_job_measures(anneal):
    refused = anneal.client.post("/v1/jobs", json=SPEC | {"training": {"best_metric": "val/r2"}})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/training/best_metric"
