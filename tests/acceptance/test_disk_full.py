"""A full disk loses nothing, is said, and is forgotten as soon as there is room."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import contextmanager, suppress

import pytest

from tests.following import finish, look
from tests.servers import wait_until

SPEC = {
    "dataset": {"name": "digits"},
    "model": {"name": "mlp", "hidden": [64]},
    "training": {"epochs": 60, "checkpoint_every_steps": 100},
}


@pytest.fixture
def small(tmp_path):
    """A folder on a disk of its own with room for 4 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    done = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, check=False
    )
    if not done or done.returncode:
        pytest.skip("a small disk can be mounted by root alone")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@contextmanager
def full(folder):
    """While this lasts the disk has no room."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    yield
    filler.unlink()


def said(one, job):
    log = one.client.get(f"/v1/jobs/{job['id']}/events?limit=1000").json()["data"]
    return [event["data"]["step"] for event in log if event["type"] == "disk_full"]


@pytest.mark.parametrize("which", ["artifacts", pytest.param("scratch", marks=pytest.mark.verify)])
def test_a_job_trains_on_while_the_disk_is_full_and_ends_when_there_is_room(deployment, small, tmp_path, which):
    place = {"artifacts_url": small.as_uri()}
    if which == "scratch":
        place = {
            "artifacts_url": (tmp_path / "files").as_uri(),
            "home": small,
            "database_url": f"sqlite:///{tmp_path}/db",
        }
    one = deployment(**place)
    one.start_gateway()
    one.start_worker()
    reference = finish(one, one.client.post("/v1/jobs", json=SPEC).json())
    job = one.client.post("/v1/jobs", json=SPEC).json()
    wait_until(lambda: look(one, job)["progress"]["step"] > 150, 120, "steps behind a checkpoint")
    with full(small):
        wait_until(lambda: look(one, job)["progress"]["step"] == reference["progress"]["total_steps"], 120, "all steps")
        assert look(one, job)["state"] == "running"
        assert len(said(one, job)) == 1
    done = finish(one, job)
    assert (done["state"], done["attempt"]) == ("succeeded", 1)
    assert done["weights_sha256"] == reference["weights_sha256"]


def test_an_upload_that_has_no_room_is_answered_so_and_leaves_nothing(deployment, small):
    one = deployment(artifacts_url=small.as_uri())
    one.start_gateway()
    one.start_worker()
    table = {"file": ("t.csv", b"a,b\n" + b"1,2\n" * 5000)}
    with full(small):
        before = sorted(path.name for path in small.rglob("*"))
        answer = one.client.post("/v1/datasets", files=table)
        assert (answer.status_code, answer.json()["code"]) == (507, "disk_full")
        assert "the disk" in answer.json()["detail"]
        assert "Retry-After" in answer.headers
        assert sorted(path.name for path in small.rglob("*")) == before
        assert one.client.get("/v1/datasets").json()["data"] == []
    assert one.client.post("/v1/datasets", files=table).status_code == 202


def test_a_database_that_has_no_room_says_so_and_goes_on_when_there_is(deployment, small, tmp_path):
    one = deployment(database_url=f"sqlite:///{small / 'anneal.db'}")
    one.start_gateway()
    with full(small):
        answer = one.client.post("/v1/jobs", json=SPEC)
        assert answer.status_code in (503, 507)
        assert answer.headers["content-type"] == "application/problem+json"
        assert "Retry-After" in answer.headers
    assert one.client.post("/v1/jobs", json=SPEC).status_code == 202
