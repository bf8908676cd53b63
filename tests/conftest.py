"""The fixtures that every room's tests share; a server is started by the first test that needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest

from embedded.supervisor import Supervisor
from storage.settings import Settings
from tests.servers import Deployment, Postgres, Valkey, wait_until

# A shared machine has slow moments; and what passes once shall pass again.
hypothesis.settings.register_profile("anneal", deadline=None, derandomize=True)
hypothesis.settings.load_profile("anneal")
# Where only counts that a test fails: the least example takes longer to find than the first, which must be found.
hypothesis.settings.register_profile("unshrunk", phases=[hypothesis.Phase.generate], max_examples=600)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of a module that share a fixture of ours run in one process, which then makes it only once."""
    for item in items:
        fixtures = item._fixtureinfo.name2fixturedefs if isinstance(item, pytest.Function) else {}
        if any(one.scope == "module" and one.baseid for (*_, one) in fixtures.values()):  # a plugin's has no baseid
            item.add_marker(pytest.mark.xdist_group(item.parent.nodeid))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL for this test process."""
    server = Postgres()
    yield server
    server.stop()


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """A fresh empty database on PostgreSQL."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A fresh empty database on SQLite."""
    return f"sqlite:///{tmp_path / 'anneal.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh empty database, on SQLite and then on PostgreSQL."""
    return request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    """A Valkey for this test process."""
    server = Valkey()
    yield server
    server.stop()


@pytest.fixture
def broker_url(valkey: Valkey) -> str:
    """An empty broker."""
    valkey.forget()
    return valkey.url


@dataclass(frozen=True)
class Running:
    """Anneal as `anneal up` runs it."""

    url: str
    home: Path
    settings: Settings
    client: httpx.Client


@pytest.fixture(scope="session")
def anneal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Anneal on SQLite and its own broker, shared by the tests of this process: leave it as you would find it."""
    home = tmp_path_factory.mktemp("anneal")
    with Supervisor(Settings(home=home, port=0, workers=2, threads=1)) as supervisor:
        supervisor.start()
        with httpx.Client(base_url=supervisor.url, timeout=60, trust_env=False) as client:
            _wait_until_warm(client)
            yield Running(supervisor.url, home, supervisor.settings, client)


def _wait_until_warm(client: httpx.Client) -> None:
    """A worker takes work before it has imported torch; on a busy machine that may be longer than a test would wait."""
    uploaded = client.post("/v1/datasets", files={"file": ("warm.csv", b"a,b\n1,2\n")}).json()
    path = f"/v1/datasets/{uploaded['id']}"
    wait_until(lambda: client.get(path).json()["terminal"], 120, "the worker to be warm")
    client.delete(path)


@pytest.fixture
def deployment(request: pytest.FixtureRequest, tmp_path: Path, broker_url: str) -> Iterator[Callable[..., Deployment]]:
    """Make deployments with any settings: `deployment(database_url=..., lease_seconds=2)`, by default on SQLite.

    All processes are killed when the test ends; where it failed, the ends of their logs are in its report.
    """
    with ExitStack() as stack:

        def make(**settings: Any) -> Deployment:
            home = tmp_path / f"deployment-{len(made)}"
            defaults = {"home": home, "port": 0, "broker_url": broker_url, "workers": 1, "threads": 1}
            made.append(Deployment(Settings.model_validate(defaults | settings)))
            stack.callback(made[-1].stop)
            return made[-1]

        made: list[Deployment] = []
        yield make
        for one in made:
            request.node.add_report_section("teardown", "logs of the deployment", one.report())
