"""A database with many jobs in it, for benchmarks of what is asked about them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import event

from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from storage.database import Database
from storage.jobs import cancel, submit
from storage.keys import DEFAULT_PROJECT
from storage.migrations import upgrade
from storage.settings import Settings

COURSES = 10


def fill(home: Path, count: int, *, ended: int) -> Sequence[str]:
    """Submit so many jobs, of which the first have ended; nothing waits for the disk.

    Returns:
        Their ids, oldest first.
    """
    url = Settings(home=home).database
    upgrade(url)
    database = Database(url)

    @event.listens_for(database.engine, "connect")
    def hurry(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    ids = [_submit(database, number) for number in range(count)]
    for job_id in ids[:ended]:
        cancel(database, DEFAULT_PROJECT, job_id)
    database.close()
    return ids


def _submit(database: Database, number: int) -> str:
    spec = JobSpec.model_validate(
        {
            "dataset": {"name": "iris"},
            "name": f"run {number} of the {'first' if number % 7 else 'second'} kind",
            "tags": {"course": f"lecture-{number % COURSES}"},
        }
    )
    return submit(database, DEFAULT_PROJECT, make_plan(spec, None))[0].id
