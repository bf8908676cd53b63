"""Who is there is known, and who falls silent is seen to be gone."""

from __future__ import annotations

import time

from sqlalchemy import update

from storage import workers
from storage.attempts import claim
from storage.tables import WorkerRow, database_time
from storage.workers import WorkerIdentity

ME = WorkerIdentity("wrk_1", "host", 1, "cpu", 2, ["default"])


def test_a_worker_is_online_while_it_is_heard_of(database):
    workers.arrive(database, ME, 0.2)
    assert [worker.online for worker in workers.list_workers(database, "default")] == [True]
    time.sleep(0.3)
    assert [worker.online for worker in workers.list_workers(database, "default")] == [False]
    assert workers.stay(database, ME, 60)
    assert [worker.online for worker in workers.list_workers(database, "default")] == [True]
    workers.leave(database, ME.id)
    assert workers.list_workers(database, "default") == []


def test_a_worker_that_was_silent_for_an_hour_is_forgotten_and_told_so(database):
    workers.arrive(database, ME, 60)
    with database.write() as session:
        session.execute(update(WorkerRow).values(lease_until=database_time() - 3601))
    workers.forget_lost(database)
    assert not workers.stay(database, ME, 60)


def test_of_what_a_worker_trains_a_project_sees_its_own(database, submit):
    workers.arrive(database, ME, 60)
    mine, _theirs = submit("mine"), submit("theirs")
    for _ in range(2):
        claim(database, ME.id, ["default"], ["cpu"], 60)
    assert [worker.jobs for worker in workers.list_workers(database, "mine")] == [[mine.id]]
