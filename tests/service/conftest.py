"""A gateway in this process, on a database of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import event

from service.app import create_app
from storage.migrations import upgrade
from storage.settings import Settings
from tests.client.loops import run

Ask = Callable[..., httpx.Response]
Send = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture(scope="session")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FastAPI, FastAPI]]:
    """Two gateways on one database."""
    home = tmp_path_factory.mktemp("gateway")
    url = f"sqlite:///{home / 'anneal.db'}"
    upgrade(url)
    both = create_app(Settings(home=home, database_url=url)), create_app(Settings(home=home, database_url=url))
    yield both
    for app in both:
        app.state.gateway.database.close()


@pytest.fixture(scope="session")
def send(apps: tuple[FastAPI, FastAPI]) -> Send:
    """What asks from within an event loop."""
    return partial(_answer, apps[0])


@pytest.fixture(scope="session")
def send_elsewhere(apps: tuple[FastAPI, FastAPI]) -> Send:
    """What asks the other gateway."""
    return partial(_answer, apps[1])


async def _answer(app: FastAPI, method: str, path: str, **more: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        return await client.request(method, path, **more)


@pytest.fixture
def database_reads(apps: tuple[FastAPI, FastAPI]) -> Callable[[str], AbstractContextManager[list[str]]]:
    """Collects the gateway's statements that have a text in them."""

    @contextmanager
    def collecting(part: str) -> Iterator[list[str]]:
        seen: list[str] = []

        def hear(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            seen.extend([statement] if part in statement else [])

        engine = apps[0].state.gateway.database.engine
        event.listen(engine, "before_cursor_execute", hear)
        yield seen
        event.remove(engine, "before_cursor_execute", hear)

    return collecting


@pytest.fixture(scope="session")
def ask(send: Send) -> Ask:
    """Send a request and wait for the answer."""
    return lambda method, path, **more: run(send(method, path, **more))
