"""Clients that are slow, many, or change their minds late: the gateway stays small and answers, and ends are ends."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from api_schemas.ids import new_id
from storage.jobs import count_by_state
from storage.tables import EventRow, JobRow
from tests.faults.scene import QUICK, finish, look, start, submit
from tests.servers import wait_until

MEBIBYTE = 1 << 20


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
def test_five_hundred_slow_listeners_take_bounded_memory_and_resume_without_a_gap(deployment):
    one = deployment()
    gateway = one.start_gateway()
    job = submit(one, QUICK)
    _log(one, job, 2_000)
    before = memory_bytes(gateway.pid)
    lines = [listen(one, job, after=0) for _ in range(500)]
    first = [line.recv(1024) for line in lines]
    assert all(said.startswith(b"HTTP/1.1 200") for said in first)
    _log(one, job, 2_000)  # nobody reads on
    assert one.client.get(f"/v1/jobs/{job['id']}").is_success
    assert memory_bytes(gateway.pid) - before < 500 * MEBIBYTE
    for line in lines:
        line.close()
    assert one.client.get(f"/v1/jobs/{job['id']}").is_success
    last = one.client.get(f"/v1/jobs/{job['id']}/events?after=1500&limit=1000").json()["data"]
    with listen(one, job, after=1500) as line:
        assert numbers(line, len(last)) == [event["id"] for event in last]


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
    assert sorted(seconds)[-2] < 2.0
    wait_until(lambda: look(one, {"id": ids[9]})["terminal"], 200, "ten jobs")
    valkey.forget()
    wait_until(lambda: look(one, {"id": ids[19]})["terminal"], 200, "ten more")
    states = [look(one, {"id": identifier})["state"] for identifier in ids[:20]]
    assert states == ["succeeded"] * 20
    assert look(one, {"id": ids[-1]})["state"] == "queued"
    assert sum(count_by_state(one.database).values()) == 10_001


def listen(one, job, after):
    """A connection that has asked for a job's events and reads as slowly as it likes."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.settimeout(60)
    line.connect(("127.0.0.1", one.settings.port))
    head = "Host: localhost\r\nAccept: text/event-stream"
    line.sendall(f"GET /v1/jobs/{job['id']}/events?after={after} HTTP/1.1\r\n{head}\r\n\r\n".encode())
    return line


def numbers(line, count):
    """The ids of the first events that a stream tells."""
    found, rest = [], b""
    while len(found) < count:
        rest += line.recv(65536)
        *whole, rest = rest.split(b"\n")
        found += [int(said.removeprefix(b"id: ")) for said in whole if said.startswith(b"id: ")]
    return found


def memory_bytes(pid):
    resident = next(text for text in Path(f"/proc/{pid}/status").read_text().splitlines() if text.startswith("VmRSS"))
    return int(resident.split()[1]) << 10


def _log(one, job, count):
    """Add events to a job's log, as a worker does that says a lot."""
    with one.database.write() as session:
        row = session.get_one(JobRow, job["id"])
        for number in range(row.events + 1, row.events + count + 1):
            session.add(
                EventRow(job_id=row.id, number=number, type="note", at=row.created_at, data={"text": "x" * 200})
            )
        row.events += count
        row.version += 1


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
