"""What a test of faults looks at: a job, its curve, its trainers, and how it goes when nothing is wrong."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import httpx
import psycopg
from sqlalchemy import make_url

from tests.following import look
from tests.servers import descendants, wait_until

SPEC = {
    "dataset": {"name": "digits"},
    "model": {"name": "mlp", "dropout": 0.1, "normalization": {"name": "batch_norm"}},
    "optimizer": {"name": "adamw"},
    "schedule": [{"name": "linear_warmup", "steps": 100}, {"name": "cosine"}],
    "training": {"epochs": 60, "checkpoint_every_steps": 100},
}
"""A few seconds, with all that a resumed run could get wrong."""
QUICK = {"dataset": {"name": "iris"}, "training": {"epochs": 1}}
WRITING = {
    "dataset": {"name": "digits"},
    "model": {"name": "mlp", "hidden": [512, 512]},
    "training": {"epochs": 15, "checkpoint_every_steps": 1},
}
"""More time goes into its checkpoints than into its steps."""


def start(one):
    """Start a gateway and a worker, which is `worker` then."""
    one.start_gateway()
    one.worker = one.start_worker()
    return one


def submit(one, spec=SPEC, key=None):
    answer = one.client.post("/v1/jobs", json=spec, headers={"Idempotency-Key": key} if key else {})
    assert answer.status_code == 202, answer.text
    return answer.json()


def trained(one, job, steps):
    """Wait until more steps than that are done."""
    wait_until(lambda: look(one, job)["progress"]["step"] > steps, 60, f"{steps} steps")


def reasons(job, state):
    """Why it came into a state, each time."""
    return [change["reason"] for change in job["transitions"] if change["state"] == state]


def is_refused_for_now(answer: httpx.Response) -> bool:
    """Whether it is a problem that says when to come back."""
    return (
        answer.status_code == 503
        and answer.headers["content-type"] == "application/problem+json"
        and "retry-after" in answer.headers
    )


def trainers(worker_pid):
    """The processes that train or stand ready to: the grandchildren in a session of their own."""
    return [pid for pid in descendants(worker_pid) if os.getsid(pid) == pid]


def written(one, pattern):
    """The process that is writing such a file, which has its number in the file's name until it is whole."""
    deadline, scratch = time.monotonic() + 60, one.settings.scratch()
    while time.monotonic() < deadline:
        for path in scratch.glob(f"*/{pattern}"):
            return int(path.suffix[1:])
    raise TimeoutError(f"nobody wrote {pattern}")


@contextmanager
def write_lock(url: str, patience_seconds: float = 30.0) -> Iterator[None]:
    """While this lasts nobody else changes a job; looking is possible.

    Raises:
        sqlite3.OperationalError, psycopg.OperationalError: somebody else is at it for longer than our patience.
    """
    if url.startswith("sqlite"):
        path = make_url(url).database
        with closing(sqlite3.connect(path, isolation_level=None, timeout=patience_seconds)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
    else:
        patience = f"-c lock_timeout={round(1000 * patience_seconds)}"
        with psycopg.connect(url.replace("+psycopg", ""), options=patience) as connection:
            connection.execute("LOCK TABLE jobs IN SHARE ROW EXCLUSIVE MODE")
            yield


def stop_between_transactions(one, pid):
    """Stop a process at a moment when it keeps nobody from writing."""
    while True:
        os.kill(pid, signal.SIGSTOP)
        with suppress(sqlite3.OperationalError, psycopg.OperationalError), write_lock(one.settings.database, 1.0):
            return
        os.kill(pid, signal.SIGCONT)
