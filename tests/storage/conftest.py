"""A migrated database, and a hand that submits jobs to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from api_schemas.jobs import Job, JobSpec
from api_schemas.plan import make_plan
from storage import jobs
from storage.database import Database
from storage.migrations import upgrade


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database at the newest schema, on SQLite and on PostgreSQL."""
    upgrade(database_url)
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def submit(database: Database) -> Callable[..., Job]:
    """Submit a job: `submit(project="a", name="x", resources={...})`."""

    def submit(project: str = "default", **spec: Any) -> Job:
        plan = make_plan(JobSpec.model_validate({"dataset": {"name": "digits"}} | spec), None)
        return jobs.submit(database, project, plan)[0]

    return submit
