"""The two clients, blocking and asynchronous: one API, described once."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self, TypedDict

import httpx

from api_schemas.pages import Page
from api_schemas.workers import Health, Worker
from client.catalog import Catalog
from client.datasets import Datasets
from client.errors import Unreachable
from client.exchange import ask_once, decode
from client.flow import AsyncDriver, Flow, SyncDriver
from client.jobs import Jobs
from client.models import Models
from client.resource import D, Endpoint, Resource

DEFAULT_URL = "http://127.0.0.1:8000"
RETRIES = 4
"""Tries beyond the first; four take about four seconds at most unless the gateway asks for more."""


class Api(Resource[D]):
    """Everything a gateway offers."""

    def __init__(self, driver: D, retries: int) -> None:
        super().__init__(driver, retries)
        self.jobs = Jobs(driver, retries)
        self.datasets = Datasets(driver, retries)
        self.models = Models(driver, retries)
        self.catalog = Catalog(driver, retries)

    @property
    def url(self) -> str:
        """The gateway's address, without a slash at its end."""
        return str(self.driver.http.base_url).rstrip("/")

    @Endpoint
    def workers(self) -> Flow[list[Worker]]:
        """The processes that train for this gateway."""
        return (yield from self._ask(Page[Worker], "GET", "/v1/workers")).data

    @Endpoint
    def health(self) -> Flow[Health]:
        """Whether the gateway can do its work, and if not, what it lacks; asked once, without retries."""
        return decode((yield from ask_once(self._request("GET", "/readyz"))), Health)


class Client(Api[SyncDriver]):
    """A blocking client.

        with Client() as client:
            job = client.jobs.create({"dataset": {"name": "digits"}})
            client.jobs.wait(job.id)
            step, loss = client.jobs.curve(job.id, "train/loss")

    Args:
        url: the gateway's address; by default `ANNEAL_URL`, else `http://127.0.0.1:8000`.
        key: an API key; by default `ANNEAL_API_KEY`, else none.
        retries: tries beyond the first, of calls that a moment's patience may help.
        transport: how requests travel; by default over the network.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        retries: int = RETRIES,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        http = httpx.Client(transport=transport, **_options(_address(url), key))
        super().__init__(SyncDriver(http), retries)

    def close(self) -> None:
        """Close the connections."""
        self.driver.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient(Api[AsyncDriver]):
    """A client for asyncio: what `Client` returns is awaited, what it iterates is iterated with `async for`.

        async with AsyncClient() as client:
            job = await client.jobs.create({"dataset": {"name": "digits"}})
            async for event in client.jobs.events(job.id):
                print(event)

    Args:
        url: the gateway's address; by default `ANNEAL_URL`, else `http://127.0.0.1:8000`.
        key: an API key; by default `ANNEAL_API_KEY`, else none.
        retries: tries beyond the first, of calls that a moment's patience may help.
        transport: how requests travel; by default over the network.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        retries: int = RETRIES,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        http = httpx.AsyncClient(transport=transport, **_options(_address(url), key))
        super().__init__(AsyncDriver(http), retries)

    async def close(self) -> None:
        """Close the connections."""
        await self.driver.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


def _address(url: str | None) -> httpx.URL:
    text = url or os.environ.get("ANNEAL_URL") or DEFAULT_URL
    try:
        address = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise Unreachable(text, str(error)) from error
    if address.scheme not in {"http", "https"} or not address.host:
        raise Unreachable(text, "an address begins with http:// or https://")
    return address


class _Options(TypedDict):
    base_url: httpx.URL
    headers: dict[str, str]
    verify: bool
    trust_env: bool


def _options(address: httpx.URL, key: str | None) -> _Options:
    return {
        "base_url": address,
        "headers": _headers(key or os.environ.get("ANNEAL_API_KEY")),
        # Reading the certificate authorities takes longer than most calls; an address without TLS need not pay it.
        "verify": address.scheme == "https",
        # A proxy of the environment cannot reach this machine's own loopback.
        "trust_env": address.host not in {"127.0.0.1", "::1", "localhost"},
    }


def _headers(key: str | None) -> dict[str, str]:
    authorization = {"Authorization": f"Bearer {key}"} if key else {}
    return {"User-Agent": "anneal-client", "Accept": "application/json", **authorization}
