"""Clients that are many or change their minds late: the gateway answers, and ends are ends."""

from __future__ import annotations

import time

import pytest

from api_schemas.ids import new_id
from storage.jobs import count_by_state
from storage.tables import JobRow
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
