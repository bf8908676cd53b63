"""A gateway is killed at the worst of moments: what it accepted is there, and sent again it is the same job."""

from __future__ import annotations

import json
import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.faults.scene import QUICK, submit, write_lock
from tests.following import finish
from tests.servers import wait_until


@pytest.fixture
def alone(deployment, database_url):
    """A gateway without a worker, on SQLite and on PostgreSQL."""
    one = deployment(database_url=database_url, lease_seconds=3)
    one.gateway = one.start_gateway()
    return one


def test_killed_between_its_commit_and_its_wake_up_the_job_runs(alone, valkey):
    valkey.process.signal(signal.SIGSTOP)
    try:
        job = submit(alone, QUICK)
        kill(alone)
    finally:
        valkey.process.signal(signal.SIGCONT)
    valkey.forget()
    alone.start_gateway()
    alone.start_worker()
    done = finish(alone, job)
    assert (done["state"], done["attempt"]) == ("succeeded", 1)


def test_killed_before_its_commit_the_same_key_sent_again_is_one_job(alone):
    with ThreadPoolExecutor(1) as pool:
        with write_lock(alone.settings.database):
            unanswered = pool.submit(submit, alone, QUICK, "the key")
            with pytest.raises(TimeoutError):
                unanswered.result(0.5)
            kill(alone)
            with pytest.raises(httpx.TransportError):
                unanswered.result(10)
        alone.start_gateway()
        again = submit(alone, QUICK, "the key")
    assert [job["id"] for job in listed(alone)] == [again["id"]]


def test_killed_after_its_commit_and_before_its_answer_the_same_key_sent_again_is_the_same_job(alone):
    send_and_leave(alone, QUICK, "the key")
    (stored,) = wait_until(lambda: listed(alone), 30, "the commit")
    kill(alone)
    alone.start_gateway()
    assert submit(alone, QUICK, "the key")["id"] == stored["id"]
    assert len(listed(alone)) == 1


def test_a_hundred_submits_at_once_with_one_key_are_one_job_and_with_many_keys_as_many(alone):
    keys = ["one"] * 100 + [f"key {number}" for number in range(100)]
    with (
        httpx.Client(base_url=alone.url, timeout=120, trust_env=False) as http,
        ThreadPoolExecutor(50) as pool,
    ):
        answers = list(pool.map(lambda key: http.post("/v1/jobs", json=QUICK, headers={"Idempotency-Key": key}), keys))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers[:100]}) == 1
    ids = {answer.json()["id"] for answer in answers}
    assert len(ids) == 101
    assert {job["id"] for job in listed(alone)} == ids


def kill(one):
    os.kill(one.gateway.pid, signal.SIGKILL)
    wait_until(lambda: one.gateway.returncode is not None, what="the end of the gateway")


def listed(one):
    return one.client.get("/v1/jobs?limit=200").json()["data"]


def send_and_leave(one, spec, key):
    """Submit as somebody who does not hear the answer."""
    body = json.dumps(spec)
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nIdempotency-Key: {key}\r\n"
    with socket.create_connection(("127.0.0.1", one.settings.port)) as line:
        line.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        wait_until(lambda: listed(one), 30, "the job")
