"""A worker is killed, stopped or asked to end at the worst of moments: its jobs end all the same, once."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from redis import Redis

from tests.faults.scene import (
    QUICK,
    SPEC,
    WRITING,
    reasons,
    stop_between_transactions,
    submit,
    trained,
    trainers,
    write_lock,
    written,
)
from tests.following import finish, look
from tests.servers import descendants, is_alive, wait_until


@pytest.mark.faults
def test_killed_before_its_claim_it_leaves_the_job_to_another(running, valkey):
    pid = running.worker.pid
    with Redis(unix_socket_path=str(valkey.address)) as broker:
        os.kill(pid, signal.SIGSTOP)
        # A wake-up would go to the one that waits at the broker, asleep or not; it waits for a second at a time.
        wait_until(lambda: not broker.info("clients")["blocked_clients"], what="that nobody waits at the broker")
        job = submit(running, QUICK)
    with write_lock(running.settings.database), Redis(unix_socket_path=str(valkey.address)) as broker:
        wait_until(lambda: broker.llen("anneal.default"), what="the wake-up")
        os.kill(pid, signal.SIGCONT)
        wait_until(lambda: not broker.llen("anneal.default"), what="a worker that was woken")
        os.kill(pid, signal.SIGKILL)
    running.start_worker()
    done = finish(running, job)
    assert (done["state"], done["attempt"]) == ("succeeded", 1)


@pytest.mark.faults
def test_killed_between_its_claim_and_the_first_step_it_leaves_the_job_to_another(running):
    wait_until(lambda: trainers(running.worker.pid), what="a trainer that stands ready")
    time.sleep(0.5)  # so young it may not have asked yet to end with its worker
    for pid in trainers(running.worker.pid):
        os.kill(pid, signal.SIGSTOP)
    job = submit(running, QUICK)
    wait_until(lambda: look(running, job)["state"] == "running", what="the claim")
    os.kill(running.worker.pid, signal.SIGKILL)
    running.start_worker()
    done = finish(running, job)
    assert (done["state"], done["attempt"]) == ("succeeded", 2)


def test_killed_in_the_midst_of_an_epoch_its_trainers_end_and_the_curve_goes_on_the_same(running, undisturbed):
    job = submit(running)
    trained(running, job, 300)
    children = trainers(running.worker.pid)
    os.kill(running.worker.pid, signal.SIGKILL)
    wait_until(lambda: not any(is_alive(pid) for pid in children), 5, "the end of the trainers")
    running.start_worker()
    done = finish(running, job)
    assert done["attempt"] >= 2
    assert "from step" in reasons(done, "running")[-1]
    undisturbed(running, done, SPEC)


@pytest.mark.faults
def test_killed_between_the_last_checkpoint_and_the_end_nothing_is_trained_again(running, undisturbed):
    last = {
        "dataset": {"name": "digits"},
        "model": {"name": "mlp", "hidden": [2048, 2048]},
        "optimizer": {"name": "sgd"},
        "training": {"epochs": 1, "checkpoint_every_steps": 1000},
    }
    total = submit(running, last)["progress"]["total_steps"]
    last["training"]["checkpoint_every_steps"] = total
    finish(running, running.client.get("/v1/jobs").json()["data"][0])
    job = submit(running, last)
    os.kill(written(running, ".job_*.safetensors.*"), signal.SIGSTOP)
    wait_until(lambda: checkpointed(running, job) == total, 30, "the last checkpoint")
    assert look(running, job)["state"] == "running"
    os.kill(running.worker.pid, signal.SIGKILL)
    running.start_worker()
    done = finish(running, job)
    assert reasons(done, "running")[-1].endswith(f"from step {total}")
    undisturbed(running, done, last)


@pytest.mark.faults
def test_asked_to_end_during_a_checkpoint_and_then_killed_the_last_whole_one_is_gone_on_from(running, undisturbed):
    job = submit(running, WRITING)
    trained(running, job, 5)
    written(running, ".*.checkpoint.*")
    os.kill(running.worker.pid, signal.SIGTERM)
    time.sleep(0.05)
    os.kill(running.worker.pid, signal.SIGKILL)
    running.start_worker()
    done = finish(running, job)
    assert "from step" in reasons(done, "running")[-1]
    undisturbed(running, done, WRITING)


def test_asked_to_end_it_writes_a_checkpoint_and_gives_the_job_back(running, undisturbed):
    job = submit(running)
    trained(running, job, 200)
    end(running)
    given_back = look(running, job)
    assert given_back["state"] == "queued"
    assert given_back["progress"]["step"] > 200
    running.start_worker()
    undisturbed(running, finish(running, job), SPEC)


@pytest.mark.faults
def test_asked_to_end_while_it_commits_it_gives_the_job_back_once_it_can(running, undisturbed):
    job = submit(running)
    trained(running, job, 200)
    with write_lock(running.settings.database):
        time.sleep(0.5)
        os.kill(running.worker.pid, signal.SIGTERM)
        time.sleep(0.5)
    end(running)
    assert look(running, job)["state"] == "queued"
    running.start_worker()
    undisturbed(running, finish(running, job), SPEC)


def test_stopped_past_its_lease_and_continued_it_says_nothing_more_and_its_trainer_ends(running, undisturbed):
    job = submit(running)
    trained(running, job, 200)
    stopped, children = running.worker.pid, trainers(running.worker.pid)
    stop_between_transactions(running, stopped)
    running.start_worker()
    wait_until(lambda: look(running, job)["attempt"] == 2, 60, "the second attempt")
    os.kill(stopped, signal.SIGCONT)
    wait_until(lambda: not all(is_alive(pid) for pid in children), 10, "the end of the first attempt's trainer")
    done = finish(running, job)
    assert done["attempt"] >= 2
    assert is_alive(stopped)
    undisturbed(running, done, SPEC)


@pytest.mark.faults
def test_without_the_process_that_its_trainers_are_forked_from_it_starts_another(running, undisturbed):
    job = submit(running)
    trained(running, job, 200)
    forked = trainers(running.worker.pid)
    (warm,) = (pid for pid in descendants(running.worker.pid) if "forkserver" in command(pid) and pid not in forked)
    os.kill(warm, signal.SIGKILL)
    done = finish(running, job)
    assert done["attempt"] >= 2
    assert is_alive(running.worker.pid)
    undisturbed(running, done, SPEC)


def end(one):
    """Ask the worker to end, and wait until it has."""
    one.worker.signal(signal.SIGTERM)
    wait_until(lambda: one.worker.returncode is not None, 30, "the end of the worker")
    assert one.worker.returncode == 0


def checkpointed(one, job):
    data = one.client.get(f"/v1/jobs/{job['id']}/checkpoints").json()["data"]
    return max((checkpoint["step"] for checkpoint in data), default=0)


def command(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
