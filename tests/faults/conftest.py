"""A deployment to break, and undisturbed runs to compare with."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from storage.settings import Settings
from tests.faults.scene import submit
from tests.following import curves, finish
from tests.servers import Deployment

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    """Servers start, die and start again here, which takes a busy machine minutes."""
    for item in items:
        if item.path.parent == _HERE:
            item.add_marker(pytest.mark.timeout(400))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.faults)])
def database_url(request):
    """A fresh empty database: SQLite in every run, PostgreSQL where all faults are asked for; chaos is on it too."""
    return request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.faults)])
def shared(request, valkey, tmp_path_factory):
    """A gateway for a module's tests, and the workers that they leave behind; leases are short."""
    home = tmp_path_factory.mktemp("shared")
    with ExitStack() as stack:
        url = None
        if request.param == "postgresql":
            url = stack.enter_context(request.getfixturevalue("postgres").database())
        settings = {"home": home, "port": 0, "broker_url": valkey.url, "workers": 1, "threads": 1, "lease_seconds": 3}
        one = Deployment(Settings.model_validate(settings | {"database_url": url}))
        stack.callback(one.stop)
        one.start_gateway()
        yield one


@pytest.fixture
def running(request, shared, valkey):
    """A gateway and a worker, on SQLite and on PostgreSQL: the last one that lives still, as each takes seconds."""
    valkey.forget()
    _, *workers = shared.processes
    alive = [worker for worker in workers if worker.returncode is None]
    for worker in alive[:-1]:
        worker.kill()
    shared.worker = alive[-1] if alive else shared.start_worker()
    yield shared
    request.node.add_report_section("teardown", "logs of the deployment", shared.report())


@pytest.fixture(scope="session")
def undisturbed(anneal):
    """Hold a finished job against one of the same spec that nothing has disturbed: the same weights and curves."""
    known = {}

    def compare(one, job, spec):
        text = json.dumps(spec)
        if text not in known:
            reference = finish(anneal, submit(anneal, spec))
            known[text] = reference["weights_sha256"], curves(anneal, reference)
        assert job["state"] == "succeeded", job
        assert (job["weights_sha256"], curves(one, job)) == known[text]

    return compare
