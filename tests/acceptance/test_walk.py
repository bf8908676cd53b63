"""The walk of a job, as somebody with nothing but HTTP sees it."""

from __future__ import annotations

import csv
import io
import json
import math
import threading
import time
import xml.etree.ElementTree as ET

import httpx
import polars as pl
import pytest

from tests.following import finish, look
from tests.servers import wait_until

SLOW = {"dataset": {"name": "digits"}, "training": {"epochs": 100_000, "checkpoint_every_steps": 200}}
"""A job that is still running whenever a test looks."""


@pytest.fixture
def slow_job(anneal):
    """A job in the midst of its training."""
    job = anneal.client.post("/v1/jobs", json=SLOW).json()
    wait_until(lambda: look(anneal, job)["progress"]["step"] > 0, what="the first steps")
    yield job
    anneal.client.post(f"/v1/jobs/{job['id']}/cancel")


def submit(anneal, **spec):
    answer = anneal.client.post("/v1/jobs", json=spec)
    assert answer.status_code == 202, answer.text
    return answer.json()


def test_the_shortest_job_learns_digits(anneal):
    answer = anneal.client.post("/v1/jobs", json={"dataset": {"name": "digits"}})
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert answer.headers["etag"]
    assert job["state"] == "queued"
    done = finish(anneal, job)
    assert done["state"] == "succeeded"
    assert done["metrics"]["val/accuracy"]["last"] >= 0.96
    assert [change["state"] for change in done["transitions"]] == ["queued", "running", "succeeded"]
    assert done["progress"]["step"] == done["progress"]["total_steps"] == 690
    assert len(done["weights_sha256"]) == 64


def test_every_step_has_its_points_and_they_are_there_while_it_trains(anneal, slow_job):
    metrics = anneal.client.get(f"/v1/jobs/{slow_job['id']}/metrics").json()
    assert metrics["state"] == "running"
    series = {one["key"]: one for one in metrics["series"]}
    assert {"train/loss", "lr", "train/grad_norm"} <= set(series)
    for key in ("train/loss", "lr", "train/grad_norm"):
        assert series[key]["step"] == list(range(len(series[key]["step"])))
    later = wait_until(
        lambda: anneal.client.get(
            f"/v1/jobs/{slow_job['id']}/metrics", params={"keys": "train/loss", "from_step": metrics["last_step"] + 1}
        ).json()["series"],
        what="further points",
    )
    assert later[0]["step"][0] == metrics["last_step"] + 1


def test_a_running_job_is_cancelled_within_two_seconds(anneal, slow_job):
    asked = time.monotonic()
    assert anneal.client.post(f"/v1/jobs/{slow_job['id']}/cancel").json()["state"] in ("cancelling", "cancelled")
    wait_until(lambda: look(anneal, slow_job)["state"] == "cancelled", 2, "the cancel")
    assert time.monotonic() - asked < 2.5
    again = anneal.client.post(f"/v1/jobs/{slow_job['id']}/cancel")
    assert again.json() == look(anneal, slow_job)


def test_a_paused_job_goes_on_where_it_was_and_ends_with_the_weights_of_one_that_never_stopped(anneal):
    spec = {
        "dataset": {"name": "digits"},
        "model": {"name": "mlp", "dropout": 0.2, "normalization": {"name": "batch_norm"}},
        "schedule": [{"name": "linear_warmup", "steps": 50}, {"name": "cosine"}],
        "training": {"epochs": 120},
    }
    straight, broken = submit(anneal, **spec), submit(anneal, **spec)
    wait_until(lambda: look(anneal, broken)["progress"]["step"] > 100, what="some steps")
    anneal.client.post(f"/v1/jobs/{broken['id']}/pause")
    wait_until(lambda: look(anneal, broken)["state"] == "paused", what="the pause")
    assert look(anneal, broken)["progress"]["step"] < 120 * 23
    anneal.client.post(f"/v1/jobs/{broken['id']}/resume")
    one, other = finish(anneal, straight), finish(anneal, broken)
    assert other["attempt"] == 2
    assert one["weights_sha256"] == other["weights_sha256"]
    assert _curves(anneal, straight) == _curves(anneal, broken)


def test_a_diverging_job_fails_with_its_step_and_keeps_its_curve(anneal):
    spec = {
        "dataset": {"name": "badly_scaled"},
        "preprocessing": {"numeric": {"name": "none"}},
        "optimizer": {"name": "sgd", "lr": 1.0},
        "model": {"name": "linear"},
    }
    job = finish(anneal, submit(anneal, **spec))
    assert job["state"] == "failed"
    assert job["error"]["code"] == "diverged"
    series = {one["key"]: one for one in anneal.client.get(f"/v1/jobs/{job['id']}/metrics").json()["series"]}
    loss = series["train/loss"]
    last = loss["step"][-1]
    assert f"step {last}" in job["error"]["message"]
    assert loss["nonfinite"] or series["train/grad_norm"]["nonfinite"]
    assert all(value is not None and math.isfinite(value) for value in loss["value"][:-1])


@pytest.mark.parametrize(
    ("target", "model", "metric", "least"),
    [("kind", "mlp", "val/accuracy", 0.9), ("size", "linear", "val/r2", 0.95)],
    ids=["classification", "regression"],
)
def test_an_uploaded_csv_trains_by_its_id_and_target(anneal, target, model, metric, least):
    rows = [(x / 100, "red" if x % 2 else "blue") for x in range(400)]
    text = "x,colour,kind,size\n" + "".join(
        f"{x},{colour},{'big' if x > 2 else 'small'},{3 * x + (colour == 'red')}\n" for x, colour in rows
    )
    upload = anneal.client.post("/v1/datasets", files={"file": ("things.csv", text.encode())})
    assert upload.status_code == 202
    dataset = upload.json()
    assert dataset["state"] == "ready"
    assert dataset["rows"] == 400
    ignored = "size" if target == "kind" else "kind"
    changed = anneal.client.patch(
        f"/v1/datasets/{dataset['id']}", json={"columns": [{"name": ignored, "role": "ignore"}]}
    )
    assert changed.status_code == 200
    job = submit(
        anneal,
        dataset={"id": dataset["id"]},
        target=target,
        model={"name": model},
        optimizer={"name": "adam", "lr": 0.01},
    )
    done = finish(anneal, job)
    assert done["state"] == "succeeded", done
    assert done["metrics"][metric]["last"] >= least
    preview = anneal.client.get(f"/v1/datasets/{dataset['id']}/preview").json()
    assert preview["columns"] == ["x", "colour", "kind", "size"]
    assert anneal.client.delete(f"/v1/datasets/{dataset['id']}").status_code == 204
    assert look(anneal, job)["state"] == "succeeded"


def test_an_upload_that_is_sent_again_is_the_same_dataset_and_a_refused_one_leaves_its_key_free(anneal):
    def upload(text, key):
        file = {"file": ("again.csv", text)}
        return anneal.client.post("/v1/datasets", files=file, headers={"Idempotency-Key": key})

    first, again = upload(b"a,b\n1,2\n3,4\n", "upload"), upload(b"a,b\n1,2\n3,4\n", "upload")
    assert first.json() == again.json()
    assert upload(b"a,b\n5,6\n", "upload").status_code == 422
    assert [upload(b"a,b\n1\n", "refused").status_code for _ in range(2)] == [422, 422]
    assert upload(b"a,b\n1,2\n", "refused").json()["state"] == "ready"


def test_the_picture_and_the_files_have_what_the_numbers_say(anneal):
    job = finish(anneal, submit(anneal, dataset={"name": "iris"}, name="flowers <3", training={"epochs": 5}))
    base = f"/v1/jobs/{job['id']}"
    picture = anneal.client.get(f"{base}/curve.svg")
    assert picture.headers["content-type"].startswith("image/svg+xml")
    assert "flowers <3" in "".join(ET.fromstring(picture.text).itertext())
    assert anneal.client.get(f"{base}/curve.png").content.startswith(b"\x89PNG")
    rows = list(csv.DictReader(io.StringIO(anneal.client.get(f"{base}/metrics.csv").text)))
    lines = [json.loads(line) for line in anneal.client.get(f"{base}/metrics.jsonl").text.splitlines()]
    series = {one["key"]: one for one in anneal.client.get(f"{base}/metrics").json()["series"]}
    table = pl.read_parquet(anneal.client.get(f"{base}/metrics.parquet").content).to_dicts()
    for read in (rows, lines, table):
        loss = [float(row["value"]) for row in read if row["key"] == "train/loss"]
        assert loss == series["train/loss"]["value"]


def test_validate_only_says_what_would_run_and_stores_nothing(anneal):
    before = anneal.client.get("/v1/jobs", params={"limit": 1}).json()["data"]
    answer = anneal.client.post("/v1/jobs?validate_only=true", json={"dataset": {"name": "digits"}})
    assert answer.status_code == 200
    plan = answer.json()
    assert (plan["total_steps"], plan["parameters"]) == (690, 64 * 128 + 128 + 128 * 128 + 128 + 128 * 10 + 10)
    assert plan["spec"]["loss"]["name"] == "cross_entropy"
    assert anneal.client.get("/v1/jobs", params={"limit": 1}).json()["data"] == before


def test_a_poll_for_what_one_has_costs_no_body(anneal):
    job = finish(anneal, submit(anneal, dataset={"name": "iris"}, training={"epochs": 1}))
    for path in ("", "/metrics", "/curve.svg"):
        first = anneal.client.get(f"/v1/jobs/{job['id']}{path}")
        again = anneal.client.get(f"/v1/jobs/{job['id']}{path}", headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_a_long_poll_answers_when_the_job_changes(anneal):
    job = submit(anneal, dataset={"name": "iris"}, resources={"queue": "nobody-serves-this"})
    etag = anneal.client.get(f"/v1/jobs/{job['id']}").headers["etag"]
    threading.Timer(0.5, lambda: httpx.post(f"{anneal.url}/v1/jobs/{job['id']}/cancel", trust_env=False)).start()
    answer = anneal.client.get(f"/v1/jobs/{job['id']}", headers={"If-None-Match": etag, "Prefer": "wait=20"})
    assert answer.status_code == 200
    assert answer.json()["state"] == "cancelled"


def test_the_event_stream_ends_with_the_job_and_resumes_without_gap_or_twin(anneal):
    job = submit(anneal, dataset={"name": "digits"}, training={"epochs": 8})
    path = f"/v1/jobs/{job['id']}/events"
    whole = _stream(anneal, path)
    assert whole[-1][0] == "end"
    numbers = [number for _, number in whole if number is not None]
    assert numbers == list(range(1, len(numbers) + 1))
    rest = _stream(anneal, path, **{"Last-Event-ID": "3"})
    assert [number for _, number in rest if number is not None] == numbers[3:]
    listed = anneal.client.get(path, params={"after": 3}).json()
    assert [event["id"] for event in listed["data"]] == numbers[3:]


def test_the_catalog_describes_every_entry(anneal):
    entries = anneal.client.get("/v1/catalog").json()["data"]
    names = {(entry["kind"], entry["name"]) for entry in entries}
    assert {("optimizers", "adagrad_rms"), ("schedules", "cosine"), ("losses", "mse_softmax")} <= names
    adam = anneal.client.get("/v1/catalog/optimizers/adam").json()
    assert adam["knobs"]["lr"]["default"] == 0.001
    assert adam["knobs"]["lr"]["exclusiveMinimum"] == 0
    assert "m = b1 m" in adam["formula"]


def test_the_operator_sees_workers_health_and_measurements(anneal):
    workers = anneal.client.get("/v1/workers").json()["data"]
    assert [worker["online"] for worker in workers if worker["slots"] == 2] == [True]
    assert anneal.client.get("/healthz").json()["status"] == "ok"
    assert anneal.client.get("/readyz").json()["checks"] == {"database": "ok", "broker": "ok"}
    measured = anneal.client.get("/metrics").text
    assert 'anneal_requests_total{method="GET",route="/v1/workers",status="200"}' in measured
    assert 'anneal_jobs{state="succeeded"}' in measured


def test_the_reference_loads_nothing_from_elsewhere(anneal):
    for page in ("/", "/docs", "/docs/errors"):
        answer = anneal.client.get(page)
        assert answer.status_code == 200
        assert "http://" not in answer.text.replace("http://www.w3.org", "")
        assert "https://" not in answer.text
        assert "default-src 'self'" in answer.headers["content-security-policy"]


def _curves(anneal, job):
    series = anneal.client.get(f"/v1/jobs/{job['id']}/metrics").json()["series"]
    return {one["key"]: (one["step"], one["value"]) for one in series}


def _stream(anneal, path, **headers):
    """The events of a stream until it ends: their types and ids."""
    found, kind, number = [], "", None
    with anneal.client.stream("GET", path, headers={"Accept": "text/event-stream"} | headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("id: "):
                number = int(line.removeprefix("id: "))
            elif not line and kind:
                found.append((kind, number))
                kind, number = "", None
    return found
