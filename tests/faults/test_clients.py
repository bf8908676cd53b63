"""Clients that are many or change their minds late: the gateway answers, and ends are ends."""

from __future__ import annotations

import os
import re
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from api_schemas.ids import new_id
from storage.database import now
from storage.jobs import count_by_state
from storage.tables import EventRow, JobRow
from tests.faults.scene import QUICK, start, submit
from tests.following import finish, look
from tests.servers import wait_until


def test_a_cancel_that_races_the_end_is_kept_or_came_too_late_and_never_both(running):
    for delay in (0.0, 0.02, 0.05, 0.1, 0.2, 0.4):
        job = submit(running, QUICK)
        wait_until(lambda job=job: look(running, job)["state"] != "queued", 60, "the start")
        time.sleep(delay)
        answer = running.client.post(f"/v1/jobs/{job['id']}/cancel").json()
        done = finish(running, job)
        states = [change["state"] for change in done["transitions"]]
        assert states[-1] == done["state"]
        assert [state for state in states if state in ("succeeded", "cancelled")] == [done["state"]]
        assert (answer["state"], done["state"]) in {
            ("cancelling", "cancelled"),
            ("cancelling", "succeeded"),  # it had just finished
            ("cancelled", "cancelled"),
            ("succeeded", "succeeded"),
        }


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_with_ten_thousand_queued_and_the_broker_emptied_lists_stay_quick_and_the_oldest_go_first(
    deployment, database_url, valkey
):
    one = start(deployment(database_url=database_url, lease_seconds=3))
    template = submit(one, QUICK)
    finish(one, template)
    ids = _queue(one, template, 10_000)
    valkey.forget()
    seconds = []
    for _ in range(40):
        began = time.monotonic()
        page = one.client.get("/v1/jobs?limit=50&state=queued").json()
        seconds.append(time.monotonic() - began)
        assert len(page["data"]) == 50
    assert sorted(seconds)[-2] < 2.0  # nineteen of twenty
    wait_until(lambda: look(one, {"id": ids[9]})["terminal"], 200, "ten jobs")
    valkey.forget()
    wait_until(lambda: look(one, {"id": ids[19]})["terminal"], 200, "ten more")
    states = [look(one, {"id": identifier})["state"] for identifier in ids[:20]]
    assert states == ["succeeded"] * 20
    assert look(one, {"id": ids[-1]})["state"] == "queued"
    assert sum(count_by_state(one.database).values()) == 10_001


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_five_hundred_slow_listeners_take_little_memory_and_one_that_comes_back_misses_nothing(deployment):
    one = deployment(lease_seconds=3)
    gateway = one.start_gateway()
    one.start_worker()
    job = finish(one, submit(one, QUICK))
    _happen(one, job, 5000)
    before = _memory(gateway.pid)
    with ExitStack() as stack:
        listeners = [stack.enter_context(_listening(one, job)) for _ in range(500)]
        heard = [_hear(listener) for listener in listeners]
        time.sleep(5)  # whatever the gateway would keep for them, it does by then
        assert look(one, job)["state"] == "succeeded"
        assert _memory(gateway.pid) - before < 250e6  # all of the log for each would take 500 MB
    headers = {"Accept": "text/event-stream", "Last-Event-ID": str(heard[-1][-1])}
    rest = one.client.get(f"/v1/jobs/{job['id']}/events", headers=headers).text
    numbers = [*heard[-1], *_numbers(rest.encode())]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 5000


def _happen(one, job, count):
    """Let something happen to a job many times."""
    with one.database.write() as session:
        row = session.get_one(JobRow, job["id"])
        for number in range(row.events + 1, row.events + 1 + count):
            session.add(EventRow(job_id=row.id, number=number, type="evaluation", at=now(), data={"step": number}))
        row.events += count


def _listening(one, job):
    """A connection that has asked for the events of a job, and takes them in small sips."""
    url = urlsplit(one.url)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listener.settimeout(60)
    listener.connect((url.hostname, url.port))
    asked = f"GET /v1/jobs/{job['id']}/events HTTP/1.1\r\nHost: {url.netloc}\r\nAccept: text/event-stream\r\n\r\n"
    listener.sendall(asked.encode())
    return listener


def _hear(listener):
    """The numbers of the events that a listener hears in its first sips."""
    heard = b""
    while not (numbers := _numbers(heard)):
        heard += listener.recv(1000)
    assert heard.startswith(b"HTTP/1.1 200")
    return numbers


def _numbers(heard):
    return [int(number) for number in re.findall(rb"(?:^|\n)id: (\d+)\n", heard)]


def _memory(pid):
    """In bytes."""
    resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return resident * os.sysconf("SC_PAGE_SIZE")


def _queue(one, template, count):
    """Queue copies of a job that has ended, as their submits would have; oldest first."""
    with one.database.write() as session:
        row = session.get_one(JobRow, template["id"])
        fresh = {"state": "queued", "attempt": 0, "worker_id": None, "step": 0, "events": 0, "lease_until": None}
        fresh |= {"started_at": None, "finished_at": None, "model_sha256": None, "weights_sha256": None, "metrics": {}}
        kept = {column.key: getattr(row, column.key) for column in JobRow.__table__.columns if column.key not in fresh}
        ids = [new_id("job") for _ in range(count)]
        session.add_all(JobRow(**kept | fresh | {"id": identifier}) for identifier in ids)
    return ids
