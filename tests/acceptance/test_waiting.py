"""Over HTTP: a job that waits says for what, and a project that is full is asked to come back."""

from __future__ import annotations

import pytest

from tests.servers import wait_until

IRIS = {"dataset": {"name": "iris"}, "training": {"epochs": 1}}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.verify)])
def database_url(request):
    """A fresh empty database; what the answers are made of is tested on both in every run."""
    return request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")


@pytest.fixture
def gateway(deployment, database_url):
    """A gateway without workers that lets two jobs of a project wait."""
    one = deployment(database_url=database_url, project_queued=2)
    one.start_gateway()
    return one.client


def test_a_job_that_waits_says_for_what_and_its_etag_changes_with_that(gateway):
    first = gateway.post("/v1/jobs", json=IRIS)
    path = first.headers["Location"]
    seen = gateway.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert seen.json()["waiting"] == {"ahead": 0, "for": "a worker; none is online"}
    assert gateway.get(path, headers={"If-None-Match": seen.headers["ETag"]}).status_code == 304
    urgent = gateway.post("/v1/jobs", json=IRIS | {"resources": {"priority": 1}})
    ahead = wait_until(lambda: gateway.get(path).json()["waiting"]["ahead"])
    assert ahead == 1
    assert gateway.get(path, headers={"If-None-Match": seen.headers["ETag"]}).status_code == 200
    assert [job["waiting"]["ahead"] for job in gateway.get("/v1/jobs").json()["data"]] == [0, 1]
    gateway.post(f"{urgent.headers['Location']}/cancel")
    assert gateway.get(urgent.headers["Location"]).json()["waiting"] is None


def test_who_waits_for_change_of_a_waiting_job_is_answered_when_it_changes(gateway):
    first = gateway.post("/v1/jobs", json=IRIS)
    path = first.headers["Location"]
    for tag in (first.headers["ETag"], gateway.get(path).headers["ETag"]):
        waiting = gateway.get(path, headers={"If-None-Match": tag, "Prefer": "wait=1"})
        assert waiting.elapsed.total_seconds() > 0.9


def test_a_project_that_is_full_is_asked_to_come_back_and_answered_as_before_about_what_was_taken(gateway):
    sent = [gateway.post("/v1/jobs", json=IRIS, headers={"Idempotency-Key": key}) for key in "ab"]
    refused = gateway.post("/v1/jobs", json=IRIS, headers={"Idempotency-Key": "c"})
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert "a place is free as soon as one of them starts" in refused.json()["detail"]
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.headers["RateLimit-Policy"] == '"queued";q=2'
    assert refused.headers["RateLimit"].startswith('"queued";r=0;t=')
    again = gateway.post("/v1/jobs", json=IRIS, headers={"Idempotency-Key": "a"})
    assert (again.status_code, again.text) == (202, sent[0].text)
    gateway.delete(sent[1].headers["Location"])
    assert gateway.post("/v1/jobs", json=IRIS, headers={"Idempotency-Key": "c"}).status_code == 202
