"""Processes are killed in the midst of it, and nothing is lost or done twice."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from embedded.broker import make_broker
from storage.artifacts import open_artifacts
from storage.settings import Settings
from storage.tables import JobRow
from tests.servers import descendants, is_alive, wait_until

SPEC = {
    "dataset": {"name": "digits"},
    "model": {"name": "mlp", "dropout": 0.1, "normalization": {"name": "batch_norm"}},
    "optimizer": {"name": "adamw"},
    "schedule": [{"name": "linear_warmup", "steps": 100}, {"name": "cosine"}],
    "training": {"epochs": 150, "checkpoint_every_steps": 150},
}


def look(one, job):
    return one.client.get(f"/v1/jobs/{job['id']}").json()


def finish(one, job):
    wait_until(lambda: look(one, job)["terminal"], 150, "the end of the job")
    return look(one, job)


def curves(one, job):
    series = one.client.get(f"/v1/jobs/{job['id']}/metrics").json()["series"]
    return {part["key"]: (part["step"], part["value"]) for part in series}


def trainers(worker_pid):
    """The processes that train: the grandchildren in a session of their own."""
    return [pid for pid in descendants(worker_pid) if os.getsid(pid) == pid]


@pytest.fixture
def running(deployment, database_url):
    """A gateway and a worker with a short lease, on SQLite and on PostgreSQL."""
    one = deployment(database_url=database_url, lease_seconds=2)
    one.start_gateway()
    one.worker = one.start_worker()
    return one


def test_a_job_whose_worker_is_killed_goes_on_from_its_checkpoint_with_the_same_curve(running):
    reference = finish(running, running.client.post("/v1/jobs", json=SPEC).json())
    job = running.client.post("/v1/jobs", json=SPEC).json()
    wait_until(lambda: look(running, job)["progress"]["step"] > 400, what="steps behind a checkpoint")
    children = trainers(running.worker.pid)
    os.kill(running.worker.pid, signal.SIGKILL)
    wait_until(lambda: not any(is_alive(pid) for pid in children), 5, "the end of the trainers")
    running.start_worker()
    done = finish(running, job)
    assert done["state"] == "succeeded"
    assert done["attempt"] == 2
    assert "from step" in [change["reason"] for change in done["transitions"] if change["state"] == "running"][-1]
    assert done["weights_sha256"] == reference["weights_sha256"]
    assert curves(running, done) == curves(running, reference)


def test_a_trainer_that_is_killed_is_tried_again_and_its_worker_lives_on(running):
    job = running.client.post("/v1/jobs", json=SPEC).json()
    wait_until(lambda: look(running, job)["progress"]["step"] > 200, what="some steps")
    for pid in trainers(running.worker.pid):
        os.kill(pid, signal.SIGSEGV)
    done = finish(running, job)
    assert (done["state"], done["attempt"]) == ("succeeded", 2)
    reasons = [change["reason"] for change in done["transitions"]]
    assert any("SIGSEGV" in reason for reason in reasons)
    assert is_alive(running.worker.pid)


def test_a_trainer_that_always_dies_fails_its_job_with_the_reason(running):
    job = running.client.post("/v1/jobs", json=SPEC | {"resources": {"max_attempts": 2}}).json()
    for attempt in (1, 2):
        wait_until(
            lambda attempt=attempt: (now := look(running, job))["attempt"] == attempt and now["progress"]["step"] > 0,
            what=f"attempt {attempt}",
        )
        for pid in wait_until(lambda: trainers(running.worker.pid), what="a trainer"):
            os.kill(pid, signal.SIGKILL)
    done = finish(running, job)
    assert (done["state"], done["error"]["code"]) == ("failed", "crashed")
    assert "killed" in done["error"]["message"]
    healthy = running.client.post("/v1/jobs", json={"dataset": {"name": "iris"}}).json()
    assert finish(running, healthy)["state"] == "succeeded"


def test_a_worker_that_is_asked_to_end_writes_a_checkpoint_and_gives_the_job_back(running):
    reference = finish(running, running.client.post("/v1/jobs", json=SPEC).json())
    job = running.client.post("/v1/jobs", json=SPEC).json()
    wait_until(lambda: look(running, job)["progress"]["step"] > 200, what="some steps")
    os.kill(running.worker.pid, signal.SIGTERM)
    wait_until(lambda: running.worker.returncode is not None, 20, "the end of the worker")
    assert running.worker.returncode == 0
    given_back = look(running, job)
    assert given_back["state"] == "queued"
    assert given_back["progress"]["step"] > 200
    running.start_worker()
    done = finish(running, job)
    assert done["weights_sha256"] == reference["weights_sha256"]
    assert curves(running, done) == curves(running, reference)


def test_a_job_whose_checkpoint_is_damaged_starts_over_and_ends_the_same(running):
    reference = finish(running, running.client.post("/v1/jobs", json=SPEC).json())
    job = running.client.post("/v1/jobs", json=SPEC).json()
    wait_until(lambda: look(running, job)["progress"]["step"] > 200, what="some steps")
    running.client.post(f"/v1/jobs/{job['id']}/pause")
    wait_until(lambda: look(running, job)["state"] == "paused", what="the pause")
    with running.database.read() as session:
        damaged = session.get_one(JobRow, job["id"]).checkpoint_sha256
    path = open_artifacts(running.settings.artifacts).path(damaged)
    path.write_bytes(path.read_bytes()[:-100])
    running.client.post(f"/v1/jobs/{job['id']}/resume")
    done = finish(running, job)
    assert done["weights_sha256"] == reference["weights_sha256"]
    assert curves(running, done) == curves(running, reference)


def test_a_job_over_its_time_is_stopped(running):
    spec = SPEC | {"training": {"epochs": 100_000}, "resources": {"max_seconds": 1.5}}
    job = running.client.post("/v1/jobs", json=spec).json()
    wait_until(lambda: look(running, job)["progress"]["step"] > 0, what="the first steps")
    at_work = trainers(running.worker.pid)
    done = finish(running, job)
    assert (done["state"], done["error"]["code"]) == ("failed", "timeout")
    wait_until(lambda: not any(is_alive(pid) for pid in at_work), 5, "the end of the trainer")


def test_two_hundred_submits_at_once_with_one_key_make_one_job_and_with_many_keys_as_many(running):
    spec = {"dataset": {"name": "iris"}, "training": {"epochs": 1}}
    with httpx.Client(
        base_url=running.url, timeout=120, trust_env=False, limits=httpx.Limits(max_connections=50)
    ) as http:

        def send(key):
            return http.post("/v1/jobs", json=spec, headers={"Idempotency-Key": key})

        with ThreadPoolExecutor(50) as pool:
            same = list(pool.map(send, ["one"] * 200))
            others = list(pool.map(send, [f"key {number}" for number in range(200)]))
    assert {answer.status_code for answer in same + others} == {202}
    assert len({answer.text for answer in same}) == 1
    wanted = {answer.json()["id"] for answer in others}
    assert len(wanted) == 200
    wanted.add(same[0].json()["id"])

    def states():
        jobs, cursor = {}, None
        while True:
            parameters = {"limit": 200} | ({"cursor": cursor} if cursor else {})
            page = running.client.get("/v1/jobs", params=parameters).json()
            jobs |= {job["id"]: job["state"] for job in page["data"]}
            cursor = page["next_cursor"]
            if cursor is None:
                return jobs

    wait_until(lambda: set(states().values()) == {"succeeded"}, 170, "the end of all jobs")
    assert set(states()) == wanted


def test_a_job_submitted_while_the_broker_is_away_starts_when_it_is_back(deployment, tmp_path):
    place = Settings(home=tmp_path / "broker-home")
    one = deployment(broker_url=place.broker)
    one.start_gateway(wait=False)
    wait_until(lambda: _answers(one), 30, "the gateway")
    job = one.client.post("/v1/jobs", json={"dataset": {"name": "iris"}, "training": {"epochs": 1}})
    assert job.status_code == 202
    assert one.client.get("/readyz").status_code == 503
    broker = make_broker(place.broker_socket, place.folder / "broker", tmp_path / "broker.log")
    broker.start()
    try:
        one.start_worker()
        assert finish(one, job.json())["state"] == "succeeded"
    finally:
        broker.kill()


def _answers(one):
    try:
        return one.client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False
