"""A job that makes way for an urgent one ends as if nothing had happened."""

from __future__ import annotations

import pytest

from tests.following import curves, finish, look
from tests.servers import wait_until

SPEC = {
    "dataset": {"name": "digits"},
    "model": {"name": "mlp", "dropout": 0.1, "normalization": {"name": "batch_norm"}},
    "training": {"epochs": 100, "checkpoint_every_steps": 10_000},
    "resources": {"preemptible": True},
}
URGENT = {"dataset": {"name": "iris"}, "training": {"epochs": 1}, "resources": {"priority": 1}}


@pytest.mark.parametrize(
    "database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.verify)], indirect=True
)
def test_it_writes_a_checkpoint_lets_the_urgent_job_run_and_goes_on_to_the_same_weights(deployment, database_url):
    one = deployment(database_url=database_url)
    one.start_gateway()
    one.start_worker()
    reference = finish(one, one.client.post("/v1/jobs", json=SPEC).json())
    job = one.client.post("/v1/jobs", json=SPEC | {"resources": {"preemptible": True, "max_attempts": 1}}).json()
    wait_until(lambda: look(one, job)["progress"]["step"] > 100, what="some steps")
    urgent = finish(one, one.client.post("/v1/jobs", json=URGENT).json())
    done = finish(one, job)
    assert (urgent["state"], done["state"], done["attempt"]) == ("succeeded", "succeeded", 2)
    reasons = [change["reason"] for change in done["transitions"]]
    assert reasons[2] == f"made way for {urgent['id']}, whose priority is higher; waiting for a worker"
    assert not reasons[3].endswith("from the start")
    assert urgent["finished_at"] < done["finished_at"]
    assert done["weights_sha256"] == reference["weights_sha256"]
    assert curves(one, done) == curves(one, reference)
