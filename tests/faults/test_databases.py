"""A database is killed, locked, hangs or has no connection left: that is said, and no point is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest
from sqlalchemy import make_url

from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from storage import attempts, jobs
from storage.database import Database
from storage.migrations import upgrade
from storage.queue import Waker
from storage.reconcile import reconcile
from tests.faults.scene import QUICK, SPEC, is_refused_for_now, start, submit, trained, write_lock
from tests.following import finish, look
from tests.servers import wait_until


@pytest.mark.faults
def test_postgresql_killed_and_started_again_under_a_job_changes_nothing(
    deployment, postgres, postgres_url, undisturbed
):
    one = start(deployment(database_url=postgres_url, lease_seconds=3))
    job = submit(one)
    for steps in (100, 300):
        trained(one, job, steps)
        postgres.kill()
        assert is_refused_for_now(one.client.get("/v1/jobs"))
        postgres.start()
        wait_until(postgres.answers, 30, "PostgreSQL")
        wait_until(lambda: one.client.get("/v1/jobs").is_success, 30, "the gateway")
    undisturbed(one, finish(one, job), SPEC)


def test_with_no_connection_left_it_is_said_when_to_come_back(deployment, postgres, postgres_url):
    postgres.execute(
        "DROP ROLE IF EXISTS few", "CREATE ROLE few LOGIN SUPERUSER PASSWORD 'few'", "ALTER ROLE few NOSUPERUSER"
    )
    one = deployment(database_url=postgres_url)
    postgres.execute("GRANT pg_read_all_data, pg_write_all_data TO few", "ALTER ROLE few CONNECTION LIMIT 3")
    url = make_url(postgres_url).set(username="few", password="few").render_as_string(hide_password=False)
    one.start_gateway(database_url=url)
    with write_lock(postgres_url), ThreadPoolExecutor(20) as pool:
        submits = [pool.submit(one.client.post, "/v1/jobs", json=QUICK) for _ in range(20)]
        answers = [submitted.result() for submitted in submits]
    assert all(is_refused_for_now(answer) for answer in answers)
    assert wait_until(lambda: one.client.post("/v1/jobs", json=QUICK).status_code == 202, 30, "a connection")


@pytest.mark.parametrize("seconds", [6, pytest.param(30, marks=pytest.mark.faults)])
def test_locked_submits_are_told_when_to_come_back_reads_work_and_no_point_is_lost(running, undisturbed, seconds):
    job = submit(running)
    trained(running, job, 100)
    with write_lock(running.settings.database):
        end = time.monotonic() + seconds
        assert is_refused_for_now(running.client.post("/v1/jobs", json=QUICK))
        assert look(running, job)["state"] == "running"
        time.sleep(max(0.0, end - time.monotonic()))
    undisturbed(running, finish(running, job), SPEC)


@pytest.mark.faults
def test_a_process_stopped_inside_a_transaction_on_postgresql_holds_up_its_own_job_alone(deployment, postgres_url):
    one = deployment(database_url=postgres_url, lease_seconds=3)
    one.start_gateway()
    held = submit(one, QUICK)
    with stopped_in_a_claim(postgres_url):
        others = [submit(one, QUICK) for _ in range(3)]
        one.start_worker()
        assert {finish(one, job)["state"] for job in others} == {"succeeded"}
        done = finish(one, held)  # once PostgreSQL has ended the transaction that stood idle for 30 s
    assert (done["state"], done["attempt"]) == ("succeeded", 1)


@pytest.mark.faults
def test_a_process_stopped_inside_a_transaction_on_sqlite_holds_up_writers_until_it_ends(deployment, sqlite_url):
    one = deployment(database_url=sqlite_url, lease_seconds=3)
    one.start_gateway()
    job = submit(one, QUICK)
    with stopped_in_a_claim(sqlite_url):
        assert is_refused_for_now(one.client.post("/v1/jobs", json=QUICK))
        assert look(one, job)["state"] == "queued"
    one.start_worker()
    done = finish(one, job)
    assert (done["state"], done["attempt"]) == ("succeeded", 1)


def test_many_reconcilers_at_once_take_a_lost_job_back_once(database_url, broker_url):
    upgrade(database_url)
    with closing(Database(database_url)) as database, closing(Waker(broker_url)) as waker:
        plan = make_plan(JobSpec.model_validate(QUICK), None)
        job, _ = jobs.submit(database, "default", plan)
        attempts.claim(database, "wrk_lost", ["default"], ["cpu"], 0.01)
        time.sleep(0.05)
        ready = threading.Barrier(8)

        def look_after(number):
            ready.wait()
            return reconcile(database, waker, f"reconciler {number}", 0)

        with ThreadPoolExecutor(8) as pool:
            assert any(pool.map(look_after, range(8)))
        found = jobs.get_job(database, "default", job.id)
    assert [change.state for change in found.transitions] == ["queued", "running", "queued"]


CLAIMER = """
import sys, time
from storage.database import Database
from storage.tables import JobRow
from sqlalchemy import select
with Database(sys.argv[1]).write() as session:
    session.scalar(select(JobRow).with_for_update()).worker_id = "wrk_stopped"
    session.flush()
    print("inside", flush=True)
    time.sleep(600)
"""


@contextmanager
def stopped_in_a_claim(url):
    """A process that changes the only job there is, stopped before its commit; killed at the end."""
    process = subprocess.Popen([sys.executable, "-c", CLAIMER, url], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "inside\n"
        process.send_signal(signal.SIGSTOP)
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
