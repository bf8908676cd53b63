"""A job whose worker is killed again and again ends as one that nobody disturbed."""

from __future__ import annotations

import os
import signal
from random import Random

import pytest

from tests.servers import is_alive, wait_until

SPEC = {
    "dataset": {"name": "digits"},
    "model": {"name": "mlp", "dropout": 0.1, "normalization": {"name": "batch_norm"}},
    "optimizer": {"name": "lookahead"},
    "schedule": [{"name": "plateau", "patience": 2}],
    "training": {
        "epochs": 60,
        "checkpoint_every_steps": 70,
        "keep": "best",
        "averaging": {"name": "ema", "decay": 0.99},
        "gradient_clip_percentile": 60,
    },
    "resources": {"max_attempts": 4},
}


@pytest.mark.verify
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(3))
def test_three_kills_at_random_steps_change_neither_the_weights_nor_a_byte_of_the_curves(deployment, sqlite_url, seed):
    one = deployment(database_url=sqlite_url, lease_seconds=2)
    one.start_gateway()
    worker = one.start_worker()

    def submitted():
        answer = one.client.post("/v1/jobs", json=SPEC)
        assert answer.status_code == 202, answer.text
        return f"/v1/jobs/{answer.json()['id']}"

    def ended(job):
        wait_until(lambda: one.client.get(job).json()["terminal"], 300, "the end of the job")
        return one.client.get(job).json()

    undisturbed = submitted()
    reference = ended(undisturbed)
    killed = submitted()
    for step in sorted(Random(seed).sample(range(reference["progress"]["total_steps"] * 3 // 4), 3)):
        wait_until(lambda step=step: one.client.get(killed).json()["progress"]["step"] > step, 120, f"step {step}")
        os.kill(worker.pid, signal.SIGKILL)
        wait_until(lambda worker=worker: not is_alive(worker.pid), 5, "the end of the worker")
        worker = one.start_worker()
    done = ended(killed)
    assert (reference["attempt"], done["attempt"]) == (1, 4)
    assert done["weights_sha256"] == reference["weights_sha256"]
    assert one.client.get(f"{killed}/metrics.csv").text == one.client.get(f"{undisturbed}/metrics.csv").text
