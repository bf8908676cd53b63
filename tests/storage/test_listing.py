"""A job in a list is the very JSON that its class writes of it, and no row is read that the list does not show."""

from __future__ import annotations

import json
from functools import reduce
from operator import getitem

import pytest
from sqlalchemy import event, text

from api_schemas.errors import Unavailable
from api_schemas.jobs import JobError, Waiting
from storage import attempts, jobs
from storage.database import Database, now
from storage.listing import JobFilter, list_jobs
from storage.migrations import upgrade
from tests.storage.filled import fill

SPECS = [
    {"model": {"name": "cnn"}, "dataset": {"name": "digits"}},
    {"optimizer": {"name": "sgd", "lr": 1e-07, "momentum": 0.9}, "tags": {"a": '"b", {c}', "dataset": "é 1"}},
    {"optimizer": {"name": "sgd", "lr": 3, "momentum": 0.5}, "name": 'say "1e5"', "metrics": [{"name": "f1_macro"}]},
    {"training": {"layer_rates": {"0.*": 0.5}, "early_stopping": {}, "seed": 2**63 - 1}},
    {"schedule": [{"name": "linear", "epochs": 2}, {"name": "cosine"}], "loss": {"name": "focal"}},
]


def listed(database, **wanted):
    return {job.course.id: job for job in list_jobs(database, "default", JobFilter(**wanted), limit=200)[0]}


def whole(database, job_id):
    return jobs.get_job(database, "default", job_id).model_dump_json()


def test_a_listed_job_is_what_its_class_writes_of_it(database, submit):
    failed = attempts.claim(database, "wrk", ["default"], ["cpu"], 60) if submit() else None
    attempts.fail(database, failed.lease, JobError(code="diverged", message="it grew: 1e9", hint='say "less"'))
    fill(database)
    for spec in SPECS * 2:  # the second time each shape is known
        submit(**spec)
        assert {job.json() for job in listed(database).values()} == {whole(database, one) for one in listed(database)}


def test_what_a_listed_job_waits_for_stands_where_its_class_writes_it(database, submit):
    job = submit()
    waiting = Waiting(ahead=2, for_="a free worker")
    expected = jobs.get_job(database, "default", job.id).model_copy(update={"waiting": waiting})
    assert listed(database)[job.id].json(waiting) == expected.model_dump_json()


def test_of_specs_that_an_older_version_wrote_every_field_is_listed(database, submit):
    newest = submit()
    for *way, field in (("training", "engine"), ("resources", "fuse"), ("optimizer", "amsgrad"), ("tags",)):
        job, spec = submit(), json.loads(newest.spec.model_dump_json())
        del reduce(getitem, way, spec)[field]
        with database.write() as session:
            older = text("UPDATE jobs SET spec = :spec WHERE id = :id")
            session.execute(older, {"id": job.id, "spec": json.dumps(spec, separators=(",", ":"))})
        for _ in range(2):
            assert listed(database)[job.id].json() == whole(database, job.id)
            assert listed(database)[job.id].spec == newest.spec.model_dump_json()


def test_entries_whose_names_differ_in_a_digit_are_told_apart(database, submit):
    submit(metrics=[{"name": "f1_macro"}])
    job = submit(metrics=[{"name": "f1_macro"}])
    spec = job.spec.model_dump_json().replace('"f1_macro"', '"f2_macro"')
    with database.write() as session:
        session.execute(text("UPDATE jobs SET spec = :spec WHERE id = :id"), {"id": job.id, "spec": spec})
    with pytest.raises(Unavailable, match="written by a newer version"):
        listed(database)


def test_a_list_with_a_job_of_a_newer_version_asks_to_try_again(database, submit):
    submit()
    listed(database)
    with database.write() as session:
        session.execute(text("""UPDATE jobs SET spec = replace(spec, '"dataset"', '"warp" : 9,"dataset"')"""))
    with pytest.raises(Unavailable, match="written by a newer version"):
        listed(database)


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"states": ["failed", "queued"]},
        {"name": "x"},
        {"tag": ("a", "b")},
        {"dataset": "ds_1"},
        {"created_before": now()},
    ],
)
def test_whatever_a_page_is_filtered_by_an_index_finds_it_in_order(sqlite_url, wanted):
    upgrade(sqlite_url)
    database = Database(sqlite_url)
    said = []

    def explain(connection, _cursor, statement, values, *_):
        if statement.startswith("SELECT jobs.id") and not said:
            said.extend(connection.connection.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall())

    event.listen(database.engine, "before_cursor_execute", explain)
    listed(database, **wanted)
    database.close()
    steps = [step[3] for step in said if "SUBQUERY" not in step[3]]
    assert steps
    assert all("SEARCH" in step and "COVERING INDEX" in step for step in steps), steps
