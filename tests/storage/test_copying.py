"""A database is copied to another of any kind whole, or not at all."""

from __future__ import annotations

from contextlib import closing

import pytest
from sqlalchemy import select, text

from api_schemas.errors import Conflict, InternalError
from storage import jobs
from storage.copying import copy_database, refuse_busy
from storage.database import Database
from storage.metrics import read_metrics
from storage.migrations import current, newest, upgrade
from storage.tables import JobRow, Table
from tests.storage.filled import fill, go


@pytest.fixture
def other(request, database_url, tmp_path):
    """An empty database of the other kind."""
    sqlite = database_url.startswith("sqlite")
    url = request.getfixturevalue("postgres_url") if sqlite else f"sqlite:///{tmp_path / 'other.db'}"
    with closing(Database(url)) as opened:
        yield opened


def rows(database, *left_out):
    """All rows, as texts that do not depend on the database."""
    with database.read() as session:
        return {
            table.name: sorted(
                repr({name: value for name, value in row._mapping.items() if name not in left_out})
                for row in session.execute(select(table))
            )
            for table in Table.metadata.sorted_tables
            if table.name not in ("workers", "leases")
        }


def test_all_rows_of_all_tables_arrive_as_they_were(database, other):
    fill(database)
    assert all(rows(database).values()), "the test fills every table"
    held = ("lease_until", "state", "state_reason", "events", "version")
    copied = copy_database(database, other)
    before, after = rows(database, *held), rows(other, *held)
    assert len(after.pop("events")) == len(before.pop("events")) + 1
    assert after == before
    assert {table.table: table.rows for table in copied} == {name: len(found) for name, found in rows(database).items()}


def test_what_a_worker_held_waits_for_another_and_that_is_no_failure(database, other):
    done, running = fill(database)
    copy_database(database, other)
    moved = jobs.get_job(other, "default", running)
    assert (moved.state, moved.transitions[-1].state) == ("queued", "queued")
    assert jobs.get_job(other, "default", done).state == "succeeded"
    with other.read() as session:
        row = session.get_one(JobRow, running)
        assert (row.failures, row.lease_until, row.checkpoint_step) == (0, None, 4196)


def test_curves_are_the_same_bit_for_bit(database, other):
    done, _ = fill(database)
    copy_database(database, other)

    def points(of):
        return read_metrics(of, "default", done)[0].model_dump_json()

    assert points(other) == points(database)


def test_a_copy_that_is_interrupted_leaves_the_target_empty_so_that_it_can_be_started_again(database, other):
    fill(database)

    def pull_the_plug(table, _rows):
        if table == "curve_chunks":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_database(database, other, pull_the_plug)
    assert not any(rows(other).values())
    copy_database(database, other)


def test_a_database_with_rows_is_no_target(database, other):
    fill(database)
    upgrade(other.url)
    fill(other)
    before = rows(other)
    with pytest.raises(Conflict, match="is not empty: it has rows in"):
        copy_database(database, other)
    assert rows(other) == before


def test_a_database_of_a_newer_version_is_neither_source_nor_target(database, other):
    upgrade(other.url)
    with other.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for one, another in ((database, other), (other, database)):
        with pytest.raises(Conflict, match=f"schema 9999, this one knows {newest()}"):
            copy_database(one, another)


SPOILING = {
    "sqlite": ["CREATE TRIGGER spoil AFTER INSERT ON job_tags BEGIN UPDATE job_tags SET value = 'spoilt'; END"],
    "postgresql": [
        "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.value = 1; RETURN NEW; END'",
        "CREATE TRIGGER spoil BEFORE INSERT ON job_tags FOR EACH ROW EXECUTE FUNCTION spoil()",
    ],
}


def test_rows_that_change_on_their_way_are_not_kept(database, other):
    fill(database)
    upgrade(other.url)
    with other.write() as session:
        for statement in SPOILING[other.engine.dialect.name]:
            session.execute(text(statement))
    with pytest.raises(InternalError, match="job_tags did not arrive as they left"):
        copy_database(database, other)
    assert not any(rows(other).values())


def test_a_database_that_somebody_uses_is_not_moved(database):
    fill(database)
    with pytest.raises(Conflict, match=r"worker wrk_lost \(process 1 on a host\) still use"):
        refuse_busy(database)
    go(database)
    refuse_busy(database)


def test_an_empty_database_gets_the_schema(database, other):
    assert current(other) is None
    assert all(contents.rows == 0 for contents in copy_database(database, other))
    assert current(other) == newest()
