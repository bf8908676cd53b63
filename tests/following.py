"""How a test follows a job over HTTP."""

from __future__ import annotations

from tests.servers import wait_until


def look(one, job):
    """The job as it is now."""
    return one.client.get(f"/v1/jobs/{job['id']}").json()


def finish(one, job, seconds=170):
    """The job once it has ended."""

    def look_when_it_changes():
        now = one.client.get(f"/v1/jobs/{job['id']}", headers={"Prefer": "wait=5"}).json()
        return now if now["terminal"] else None

    return wait_until(look_when_it_changes, seconds, "the end of the job")


def curves(one, job):
    """Steps and values of each of its series."""
    series = one.client.get(f"/v1/jobs/{job['id']}/metrics").json()["series"]
    return {part["key"]: (part["step"], part["value"]) for part in series}
