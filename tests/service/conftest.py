"""A gateway in this process, on a database of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.app import create_app
from storage.migrations import upgrade
from storage.settings import Settings
from tests.client.loops import run

Ask = Callable[..., httpx.Response]
Send = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture(scope="session")
def send(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Send]:
    """What asks from within an event loop."""
    home = tmp_path_factory.mktemp("gateway")
    url = f"sqlite:///{home / 'anneal.db'}"
    upgrade(url)
    app = create_app(Settings(home=Path(home), database_url=url))

    async def answer(method: str, path: str, **more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, **more)

    yield answer
    app.state.gateway.database.close()


@pytest.fixture(scope="session")
def ask(send: Send) -> Ask:
    """Send a request and wait for the answer."""
    return lambda method, path, **more: run(send(method, path, **more))
