"""Ten thousand jobs wait, and are taken in order, each claim reading an index and one row."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import closing

import pytest
from sqlalchemy import insert, text

from api_schemas.ids import new_id
from storage import attempts
from storage.database import Database
from storage.migrations import upgrade
from storage.order import in_order
from storage.tables import JobRow

MANY = 10_000


@pytest.fixture
def crowd(database, submit):
    """Ten thousand jobs of 40 projects in three priorities, as `(id, project, priority)`, oldest first."""
    with database.read() as session:
        row = session.get_one(JobRow, submit("p0").id)
    given = {column.key: getattr(row, column.key) for column in JobRow.__mapper__.column_attrs}
    draw = random.Random(1)
    jobs = [(new_id("job"), f"p{draw.randrange(40)}", draw.choice([-1, 0, 1])) for _ in range(MANY - 1)]
    rows = [given | {"id": job, "project_id": project, "priority": priority} for job, project, priority in jobs]
    with database.write() as session:
        session.execute(insert(JobRow), rows)
    return [(row.id, "p0", 0), *jobs]


def test_ten_thousand_jobs_are_taken_by_priority_then_in_turns_then_by_age(database, crowd):
    held = Counter[str]()
    for _ in range(60):
        best = min(crowd, key=lambda job: (-job[2], held[job[1]], job[0]))
        assert attempts.claim(database, "wrk_1", ["default"], ["cpu"], 60).lease.job_id == best[0]
        crowd.remove(best)
        held[best[1]] += 1


def test_a_claim_looks_at_no_row_but_the_one_it_takes(sqlite_url):
    """Of SQLite, which decides without statistics whether an index is read alone."""
    upgrade(sqlite_url)
    with closing(Database(sqlite_url)) as database, database.read() as session:
        query = in_order(["default"], ["cpu"]).limit(1)
        line = str(query.compile(database.engine, compile_kwargs={"literal_binds": True}))
        steps = [step.detail for step in session.execute(text(f"EXPLAIN QUERY PLAN {line}"))]
    read = [step for step in steps if " jobs " in step]
    assert read
    assert all("COVERING INDEX ix_jobs_claim" in step for step in read)
