"""What a project owns does not exist for another: every route answers it as it answers about what there is not."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from api_schemas.ids import new_id
from service.app import create_app
from storage.database import Database
from storage.keys import create_key
from storage.migrations import upgrade
from storage.settings import Settings
from storage.tables import DatasetRow, ModelTaskRow
from tests.client.loops import run
from tests.storage.filled import fill

BODIES = {
    ("PATCH", "/v1/datasets/{dataset_id}"): {"target": "b"},
    ("POST", "/v1/jobs/{job_id}/predict"): {"rows": [{"a": 1}]},
    ("POST", "/v1/models/{reference}/predict"): {"rows": [{"a": 1}]},
}
BY_BODY = {
    "a dataset to train on": ("POST", "/v1/jobs", lambda ids: {"dataset": {"id": ids["dataset_id"]}}),
    "weights to begin with": (
        "POST",
        "/v1/jobs",
        lambda ids: {"dataset": {"name": "digits"}, "init": {"job": ids["job_id"]}},
    ),
    "a model to name": ("PUT", "/v1/models/mine", lambda ids: {"job": ids["job_id"]}),
}
OWNED = {"{job_id}", "{dataset_id}", "{prediction_id}", "{reference}", "/v1/models/{name}"}


def routes():
    """All that name something a project owns; what a PUT names it makes."""
    paths = json.loads(Path("docs/openapi.json").read_text())["paths"]
    for path, methods in paths.items():
        if any(part in path for part in OWNED):
            yield from ((method.upper(), path) for method in methods if method != "put")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """A gateway, a key of another project, and the ids of what the first project has."""
    home = tmp_path_factory.mktemp("projects")
    url = f"sqlite:///{home / 'anneal.db'}"
    upgrade(url)
    app = create_app(Settings(home=home, database_url=url))
    database = Database(url)
    job_id, _ = fill(database)
    with database.read() as session:
        ids = {
            "job_id": job_id,
            "dataset_id": session.scalars(select(DatasetRow.id)).one(),
            "prediction_id": session.scalars(select(ModelTaskRow.id)).one(),
            "reference": "digits",
            "name": "digits",
            "which": "last",
        }
    keys = {project: create_key(database, project, project)[1] for project in ("default", "other")}

    def ask(method, path, project="other", **more):
        async def send():
            transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                headers = {"Authorization": f"Bearer {keys[project]}"}
                return await client.request(method, path, headers=headers, **more)

        return run(send())

    yield ask, ids
    app.state.gateway.database.close()
    database.close()


@pytest.fixture
def unknown():
    """Ids like the others, of nothing."""
    return {
        "job_id": new_id("job"),
        "dataset_id": new_id("ds"),
        "prediction_id": new_id("task"),
        "reference": "letters",
        "name": "letters",
        "which": "last",
    }


def told(answer, ids):
    """What an answer says, whatever was asked about."""
    said = answer.json()
    text = said["detail"] + "".join(fault["message"] for fault in said["errors"])
    for identifier in ids.values():
        text = text.replace(identifier, "it")
    return answer.status_code, said["code"], text


@pytest.mark.parametrize(("method", "path"), list(routes()))
def test_a_route_does_not_know_what_another_project_has(gateway, unknown, method, path):
    ask, ids = gateway
    body = {"json": BODIES[method, path]} if (method, path) in BODIES else {}
    theirs, nobodys = (ask(method, path.format_map(one), **body) for one in (ids, unknown))
    assert theirs.status_code == 404
    assert told(theirs, ids) == told(nobodys, unknown)


@pytest.mark.parametrize(("method", "path", "body"), BY_BODY.values(), ids=BY_BODY)
def test_a_body_cannot_name_what_another_project_has(gateway, unknown, method, path, body):
    ask, ids = gateway
    theirs, nobodys = (ask(method, path, json=body(one)) for one in (ids, unknown))
    assert theirs.status_code in (404, 422)
    assert told(theirs, ids) == told(nobodys, unknown)


def test_lists_hold_what_is_the_projects_own(gateway):
    ask, _ = gateway
    for path in ("/v1/jobs", "/v1/datasets", "/v1/models"):
        assert ask("GET", path).json()["data"] == []
        assert ask("GET", path, "default").json()["data"]
    workers = ask("GET", "/v1/workers")
    assert [worker["jobs"] for worker in workers.json()["data"]] == [[]]


def test_the_owner_is_still_answered(gateway):
    ask, ids = gateway
    for path in (
        "/v1/jobs/{job_id}",
        "/v1/datasets/{dataset_id}",
        "/v1/models/{name}",
    ):
        assert ask("GET", path.format_map(ids), "default").is_success
