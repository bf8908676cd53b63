"""A job's checkpoints are listed, and it goes on from the last."""

from __future__ import annotations

import hashlib

import pytest
from safetensors import safe_open

from client.api import Client
from tests.script.runs import played

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


DIVERGES = {
    "dataset": {"name": "diabetes"},
    "optimizer": {"name": "sgd", "lr": 0.02},
    "schedule": [{"name": "linear", "final": 1000}],
    "training": {"epochs": 20, "checkpoint_every_steps": 3},
}


@pytest.fixture(scope="module")
def diverged(client):
    """A job whose learning rate grew until its loss was infinite."""
    job = client.jobs.wait(client.jobs.create(DIVERGES).id)
    assert job.error.code == "diverged"
    return job


def test_a_checkpoint_is_handed_out_as_the_file_that_the_list_tells_of(anneal, client, diverged, tmp_path):
    kept = list(client.jobs.checkpoints(diverged.id))
    best = next(one for one in kept if one.best)
    for which, wanted in (("best", best), ("last", kept[0]), (kept[-1].step, kept[-1])):
        path = client.jobs.download_checkpoint(diverged.id, tmp_path / "checkpoint", which)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == wanted.sha256
    with safe_open(tmp_path / "checkpoint", framework="np") as file:
        assert {"weights/0.weight", "weights/0.bias"} <= set(file.keys())
    url = f"/v1/jobs/{diverged.id}/checkpoints/best"
    assert anneal.client.get(url, headers={"If-None-Match": f'"{best.sha256}"'}).status_code == 304
    absent = anneal.client.get(f"/v1/jobs/{diverged.id}/checkpoints/1")
    assert absent.status_code == 404
    assert f"{kept[0].step}, {kept[1].step}" in absent.json()["detail"]


def test_a_run_that_diverged_is_taken_up_from_its_best_checkpoint(client, diverged, tmp_path):
    init = {"job": diverged.id, "checkpoint": "best", "freeze": ["0.*"]}
    again = DIVERGES | {"schedule": [{"name": "constant"}], "training": {"epochs": 1}, "init": init}
    job = client.jobs.wait(client.jobs.create(again).id)
    assert job.state == "succeeded", job.error
    client.jobs.download_checkpoint(diverged.id, tmp_path / f"{diverged.id}.best.safetensors", "best")
    client.models.download(job.id, tmp_path / "model")
    with (
        safe_open(tmp_path / f"{diverged.id}.best.safetensors", "np") as was,
        safe_open(tmp_path / "model", "np") as now,
    ):
        for name in ("weights/0.weight", "weights/0.bias"):
            assert (was.get_tensor(name) == now.get_tensor(name)).all()
    script = client.jobs.script(job.id)
    assert f"`anneal export {diverged.id} --checkpoint best` writes" in script
    (tmp_path / "run.py").write_text(script)
    (printed,) = played([[str(tmp_path / "run.py")]], tmp_path)
    assert printed[-1] == f"weights_sha256 {job.weights_sha256}"


@pytest.mark.parametrize(
    ("init", "pointer", "said"),
    [
        ({"job": "job_nobody"}, "/init/job", "no job"),
        ({"weights": ["9.*"]}, "/init/weights/0", "no weight of that job"),
        ({"checkpoint": "first"}, "/init/checkpoint", "best"),
    ],
)
def test_a_checkpoint_that_is_not_there_or_does_not_fit_is_refused_at_its_place(anneal, diverged, init, pointer, said):
    spec = DIVERGES | {"init": {"job": diverged.id, "checkpoint": "best"} | init}
    refused = anneal.client.post("/v1/jobs", params={"validate_only": True}, json=spec)
    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"][0]["pointer"] == pointer
    assert said in refused.json()["errors"][0]["message"]


def test_checkpoints_of_a_job_that_has_not_ended_or_that_never_wrote_one_are_no_beginning(anneal):
    spec = SPEC | {"resources": {"queue": "nobody"}}
    job = anneal.client.post("/v1/jobs", json=spec).json()
    begin = spec | {"init": {"job": job["id"], "checkpoint": "last"}}
    early = anneal.client.post("/v1/jobs", json=begin)
    assert early.status_code == 409
    assert "queued still change" in early.json()["detail"]
    anneal.client.post(f"/v1/jobs/{job['id']}/cancel")
    never = anneal.client.post("/v1/jobs", json=begin)
    assert never.status_code == 422
    assert never.json()["errors"][0]["pointer"] == "/init/checkpoint"
