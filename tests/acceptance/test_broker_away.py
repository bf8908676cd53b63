"""With the broker away jobs are accepted and trained all the same: it wakes, and is not needed to find work."""

from __future__ import annotations

import signal

import pytest

from embedded.broker import make_broker
from storage.settings import Settings
from tests.servers import wait_until

JOB = {"dataset": {"name": "iris"}, "training": {"epochs": 1}}


@pytest.mark.parametrize(
    "fault", [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=pytest.mark.verify)], ids=["killed", "stopped"]
)
def test_jobs_that_are_submitted_without_a_broker_are_trained_without_one(deployment, tmp_path, fault):
    place = Settings(home=tmp_path / "broker")
    broker = make_broker(place.broker_socket, place.folder / "data", tmp_path / "broker.log")
    broker.start()
    try:
        one = deployment(broker_url=place.broker, workers=2)
        one.start_gateway()
        one.start_worker()
        broker.signal(fault)
        sent = [one.client.post("/v1/jobs", json=JOB) for _ in range(4)]
        assert {answer.status_code for answer in sent} == {202}
        path = "/v1/jobs?state=succeeded"
        wait_until(lambda: len(one.client.get(path).json()["data"]) == 4, 60, "the end of all jobs")
        assert one.client.get("/readyz").status_code == 503
    finally:
        broker.kill()
