"""Versions of jobs, which those who poll are told by."""

from __future__ import annotations

from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from storage.database import Database
from storage.jobs import submit
from storage.keys import DEFAULT_PROJECT
from storage.migrations import upgrade
from storage.versions import read_standings


def test_the_standings_of_many_jobs_are_one_read_that_leaves_out_who_is_gone(database_url: str) -> None:
    upgrade(database_url)
    database = Database(database_url)
    spec = JobSpec.model_validate({"dataset": {"name": "iris"}})
    ids = [submit(database, DEFAULT_PROJECT, make_plan(spec, None))[0].id for _ in range(3)]
    found = read_standings(database, [*ids[:2], "job_that_is_gone"])
    assert {job: one.state for job, one in found.items()} == dict.fromkeys(ids[:2], "queued")
    assert read_standings(database, []) == {}
    database.close()
