"""Everything is destroyed after a backup, and everything comes back and goes on, on SQLite, PostgreSQL and across."""

from __future__ import annotations

import os
import shutil
import signal

import pytest

from embedded.supervisor import make_environment
from tests.client.test_command import command
from tests.following import finish, look
from tests.servers import wait_until

SPEC = {
    "dataset": {"name": "digits"},
    "model": {"name": "mlp", "dropout": 0.1},
    "training": {"epochs": 60, "checkpoint_every_steps": 100},
}
TABLE = b"a,b,y\n" + b"".join(b"%d,%d,%s\n" % (n, n * n % 7, b"no" if n % 2 else b"yes") for n in range(60))
OTHER = {"sqlite": "postgresql", "postgresql": "sqlite"}


def predict(one, job):
    """What its model says; a machine that is busy may take longer over it than a request waits."""
    rows = [{"a": 3, "b": 2}, {"a": 4, "b": 2}]
    path = f"/v1/jobs/{job['id']}/predict"
    answer = wait_until(
        lambda: (said := one.client.post(path, json={"rows": rows})).status_code == 200 and said, 170, "an answer"
    )
    return answer.json()


def run(settings, *arguments):
    chosen = {name: value for name, value in make_environment(settings).items() if name.startswith("ANNEAL_")}
    done = command(*arguments, **chosen)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def urls(sqlite_url, postgres_url):
    return {"sqlite": sqlite_url, "postgresql": postgres_url}


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.verify)])
def test_after_a_backup_all_is_destroyed_and_restored_elsewhere_and_nothing_is_lost(deployment, urls, tmp_path, kind):
    one = deployment(database_url=urls[kind])
    one.start_gateway()
    worker = one.start_worker()
    reference = finish(one, one.client.post("/v1/jobs", json=SPEC).json())
    dataset = one.client.post("/v1/datasets", files={"file": ("t.csv", TABLE)}, data={"target": "y"}).json()
    wait_until(lambda: one.client.get(f"/v1/datasets/{dataset['id']}").json()["state"] == "ready", 120, "the dataset")
    learned = finish(one, one.client.post("/v1/jobs", json={"dataset": {"id": dataset["id"]}}).json())
    curves = one.client.get(f"/v1/jobs/{reference['id']}/metrics").json()
    answers = predict(one, learned)
    running = one.client.post("/v1/jobs", json=SPEC).json()
    queued = one.client.post("/v1/jobs", json=SPEC).json()
    wait_until(lambda: look(one, running)["progress"]["step"] > 150, 120, "steps behind a checkpoint")
    os.kill(worker.pid, signal.SIGSTOP)  # or it might be done before the backup begins
    run(one.settings, "backup", str(tmp_path / "backup.zip"))

    one.stop()
    shutil.rmtree(one.settings.folder)
    there = deployment(database_url=urls[OTHER[kind]])
    said = run(there.settings, "restore", str(tmp_path / "backup.zip"))
    assert "restored the database and" in said
    there.start_gateway()
    there.start_worker()
    assert there.client.get(f"/v1/jobs/{reference['id']}/metrics").json() == curves
    assert predict(there, learned) == answers
    for job in (running, queued):
        done = finish(there, job)
        assert (done["state"], done["weights_sha256"]) == ("succeeded", reference["weights_sha256"])
        again = there.client.get(f"/v1/jobs/{job['id']}/metrics").json()["series"]
        assert [part["value"] for part in again] == [part["value"] for part in curves["series"]]
    steps = [change["reason"] for change in finish(there, running)["transitions"] if change["state"] == "running"]
    assert "from step" in steps[-1]
    assert there.client.post("/v1/jobs", json={"dataset": {"id": dataset["id"]}}).status_code == 202
