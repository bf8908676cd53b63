"""A database that a newer version has migrated is left to that version, and nothing is lost on the way."""

from __future__ import annotations

from sqlalchemy import text

from storage.migrations import newest
from tests.servers import wait_until

LONG = {"dataset": {"name": "digits"}, "training": {"epochs": 200}}
"""Longer than a worker takes to learn of a newer schema, which is a quarter of its lease."""
SHORT = {"dataset": {"name": "iris"}, "training": {"epochs": 2}}


def migrate_to(one, revision):
    with one.database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


def test_a_worker_finishes_what_it_trains_claims_no_more_and_ends_with_a_sentence(deployment):
    one = deployment(lease_seconds=4)
    one.start_gateway()
    worker = one.start_worker()
    first, second = (one.client.post("/v1/jobs", json=spec).json()["id"] for spec in (LONG, SHORT))

    def look(job_id):
        return one.client.get(f"/v1/jobs/{job_id}").json()

    wait_until(lambda: look(first)["progress"]["step"] > 0, 120, "the first step")
    migrate_to(one, "9999")
    wait_until(lambda: worker.returncode is not None, 120, "the end of the worker")
    assert (worker.returncode, look(first)["state"], look(first)["attempt"]) == (0, "succeeded", 1)
    assert f"newer Anneal (schema 9999, this one knows {newest()})" in worker.log.read_text()
    assert look(second)["state"] == "queued"

    late = one.start_worker(wait=False)
    wait_until(lambda: late.returncode is not None, 120, "the end of a worker that came too late")
    assert look(second)["state"] == "queued"
    readiness = one.client.get("/readyz")
    assert readiness.status_code == 503
    assert "newer Anneal" in readiness.json()["checks"]["database"]

    migrate_to(one, newest())
    one.start_worker()
    wait_until(lambda: look(second)["state"] == "succeeded", 120, "the job that waited for a worker of its version")
