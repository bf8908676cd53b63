"""Whoever is woken for a job finds it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import httpx
import pytest

from service.app import create_app
from storage import attempts
from storage.database import Database
from storage.migrations import upgrade
from storage.settings import Settings
from tests.client.loops import run


class Worker:
    """Claims at once when it is woken, as a worker at the broker's other end does."""

    def __init__(self, url):
        self.claims = []
        self._url = url

    def wake(self, queue):
        with closing(Database(self._url)) as database:
            claimed = attempts.claim(database, "wrk_1", [queue], ["cpu"], 60)
            self.claims.append(claimed and claimed.lease.job_id)
            if claimed:
                attempts.release(database, claimed.lease, "")


@pytest.fixture
def worker(sqlite_url):
    return Worker(sqlite_url)


@pytest.fixture
def post(sqlite_url, worker, tmp_path):
    """Send a POST to a gateway whose wake-ups take no time."""
    upgrade(sqlite_url)
    app = create_app(Settings(home=tmp_path, database_url=sqlite_url))
    gateway = app.state.gateway
    gateway.waker.close()
    app.state.gateway = replace(gateway, waker=worker)

    async def send(path, body):
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return (await client.post(path, json=body)).json()

    yield lambda path, body=None: run(send(path, body))
    gateway.database.close()


def test_a_job_is_stored_before_a_worker_is_woken_for_it(post, worker):
    job = post("/v1/jobs", {"dataset": {"name": "iris"}})
    assert worker.claims == [job["id"]]


def test_a_job_waits_again_before_a_worker_is_woken_for_it(post, worker):
    job = post("/v1/jobs", {"dataset": {"name": "iris"}})
    post(f"/v1/jobs/{job['id']}/pause")
    post(f"/v1/jobs/{job['id']}/resume")
    assert worker.claims == [job["id"]] * 2
