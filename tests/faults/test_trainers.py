"""A trainer dies or runs out of something: its job ends as it should, and its worker goes on."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from storage.artifacts import open_artifacts
from storage.tables import JobRow
from tests.faults.scene import QUICK, SPEC, WRITING, reasons, start, submit, trained, trainers, written
from tests.following import finish, look
from tests.servers import is_alive, wait_until


def test_ended_by_a_fault_of_its_own_it_is_tried_again_and_its_worker_lives_on(running, undisturbed):
    job = submit(running)
    trained(running, job, 200)
    for pid in trainers(running.worker.pid):
        os.kill(pid, signal.SIGSEGV)
    done = finish(running, job)
    assert done["attempt"] >= 2
    assert any("SIGSEGV" in reason for reason in reasons(done, "queued"))
    assert is_alive(running.worker.pid)
    undisturbed(running, done, SPEC)


@pytest.mark.faults
def test_killed_during_a_checkpoint_the_last_whole_one_is_gone_on_from(running, undisturbed):
    job = submit(running, WRITING)
    kept = f"/v1/jobs/{job['id']}/checkpoints"
    wait_until(lambda: running.client.get(kept).json()["data"], 60, "a whole checkpoint")
    os.kill(written(running, ".*.checkpoint.*"), signal.SIGKILL)
    done = finish(running, job)
    assert done["attempt"] >= 2
    assert "from step" in reasons(done, "running")[-1]
    undisturbed(running, done, WRITING)


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGSEGV, marks=pytest.mark.faults)])
def test_always_dying_it_fails_its_job_with_the_reason_and_the_next_job_runs(running, number):
    job = submit(running, SPEC | {"resources": {"max_attempts": 2}})
    for attempt in (1, 2):
        wait_until(
            lambda attempt=attempt: (now := look(running, job))["attempt"] == attempt and now["progress"]["step"] > 0,
            60,
            f"attempt {attempt}",
        )
        for pid in wait_until(lambda: trainers(running.worker.pid), what="a trainer"):
            os.kill(pid, number)
    done = finish(running, job)
    assert (done["state"], done["attempt"], done["error"]["code"]) == ("failed", 2, "crashed")
    assert number.name in done["error"]["message"]
    assert finish(running, submit(running, QUICK))["state"] == "succeeded"


def test_with_its_checkpoint_damaged_it_starts_over_and_ends_the_same(running, undisturbed):
    job = submit(running)
    trained(running, job, 200)
    running.client.post(f"/v1/jobs/{job['id']}/pause")
    wait_until(lambda: look(running, job)["state"] == "paused", what="the pause")
    with running.database.read() as session:
        damaged = session.get_one(JobRow, job["id"]).checkpoint_sha256
    path = open_artifacts(running.settings.artifacts).path(damaged)
    path.write_bytes(path.read_bytes()[:-100])
    running.client.post(f"/v1/jobs/{job['id']}/resume")
    undisturbed(running, finish(running, job), SPEC)


def test_over_its_time_it_is_stopped(running):
    spec = SPEC | {"training": {"epochs": 100_000}, "resources": {"max_seconds": 1.5}}
    job = submit(running, spec)
    trained(running, job, 0)
    at_work = trainers(running.worker.pid)
    done = finish(running, job)
    assert (done["state"], done["error"]["code"]) == ("failed", "timeout")
    wait_until(lambda: not all(is_alive(pid) for pid in at_work), 5, "the end of the one that did not stand ready")


@pytest.mark.faults
@pytest.mark.skipif(not Path("/dev/nvidiactl").exists(), reason="there is no GPU of NVIDIA's here")
def test_out_of_the_memory_of_a_gpu_its_job_says_so_and_the_next_one_runs_there(deployment):
    one = start(deployment())
    on_gpu = {"dataset": {"name": "digits"}, "resources": {"device": "cuda"}}
    done = finish(one, submit(one, on_gpu | {"model": {"name": "mlp", "hidden": [16_384] * 24}}))
    assert (done["state"], done["error"]["code"]) == ("failed", "out_of_memory")
    assert finish(one, submit(one, on_gpu))["state"] == "succeeded"
