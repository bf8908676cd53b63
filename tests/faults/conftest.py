"""A deployment to break, and undisturbed runs to compare with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.faults.scene import start, submit
from tests.following import curves, finish

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


@pytest.fixture
def running(deployment, database_url):
    """A gateway and a worker with a short lease, on SQLite and on PostgreSQL."""
    return start(deployment(database_url=database_url, lease_seconds=3))


@pytest.fixture
def on_sqlite(deployment):
    """The same where the kind of database changes nothing."""
    return start(deployment(lease_seconds=3))


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
