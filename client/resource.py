"""What every noun of the API is made of: calls described once, typed for both clients."""

from __future__ import annotations

import functools
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeAlias, TypeVar, overload
from urllib.parse import quote

import httpx
from pydantic import BaseModel

from api_schemas.datasets import Dataset
from api_schemas.jobs import Job
from api_schemas.pages import Page
from client.errors import Unreachable, WaitTimeout
from client.exchange import decode, exchange
from client.flow import AsyncDriver, Feed, Flow, Item, NextBlock, Pause, SyncDriver

D = TypeVar("D", bound=SyncDriver | AsyncDriver)
P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R", bound=BaseModel)
W = TypeVar("W", Job, Dataset)

Params: TypeAlias = Mapping[str, str | int | float | bool | None]

READ_SECONDS = 30.0
"""How long an answer may take to begin."""
_LONGEST_POLL = 30
_SHORTEST_POLL = 0.2
_LARGEST_PAGE = 200


class Resource(Generic[D]):
    """One noun of the API, spoken to through the driver of a blocking or an asynchronous client."""

    def __init__(self, driver: D, retries: int) -> None:
        self.driver = driver
        self._retries = retries

    def _request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        read_seconds: float = READ_SECONDS,
        **body: Any,
    ) -> httpx.Request:
        """Build a request; every POST gets its own idempotency key, which its repetitions share."""
        own = {"Idempotency-Key": str(uuid.uuid4())} if method == "POST" else {}
        return self.driver.http.build_request(
            method,
            path,
            params={key: value for key, value in (params or {}).items() if value is not None},
            headers={**own, **(headers or {})},
            timeout=httpx.Timeout(READ_SECONDS, connect=5.0, read=read_seconds),
            **body,
        )

    def _ask(self, kind: type[R], method: str, path: str, *, params: Params | None = None, **body: Any) -> Flow[R]:
        """Send one request and read the answer as `kind`."""
        response = yield from exchange(self._request(method, path, params=params, **body), self._retries)
        return decode(response, kind)

    def _text(self, path: str) -> Flow[str]:
        """What stands at a path that holds text."""
        return (yield from exchange(self._request("GET", path), self._retries)).text

    def _save(self, response: httpx.Response, output: Path) -> Flow[Path]:
        """Write an answer to a file as it comes; the file is there when it is whole."""
        partial = output.with_name(f".{output.name}.part")
        try:
            with partial.open("wb") as file:
                while (block := (yield NextBlock())) is not None:
                    file.write(block)
            partial.replace(output)
        except httpx.TransportError as error:
            raise Unreachable(str(response.url), "the file breaks off") from error
        finally:
            partial.unlink(missing_ok=True)
        return output

    def _delete(self, path: str) -> Flow[None]:
        yield from exchange(self._request("DELETE", path), self._retries)

    def _each(self, pages: type[Page[R]], path: str, params: Params, limit: int | None = None) -> Feed[R]:
        """Go through a list, at most `limit` elements of it, fetching a page whenever one is used up."""
        left, cursor = limit, None
        while left is None or left > 0:
            size = _LARGEST_PAGE if left is None else min(left, _LARGEST_PAGE)
            page = yield from self._ask(pages, "GET", path, params={**params, "limit": size, "cursor": cursor})
            for element in page.data:
                yield Item(element)
            if not page.has_more:
                return
            left, cursor = (None if left is None else left - len(page.data)), page.next_cursor

    def _end_of(self, kind: type[W], path: str, timeout: float | None) -> Flow[W]:
        """Long-poll an object until it is in an end state.

        Raises:
            WaitTimeout: when it is not, after `timeout` seconds.
        """
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        thing = yield from exchange(self._request("GET", path), self._retries)
        while not (found := decode(thing, kind)).terminal:
            thing = yield from self._change_of(thing, path, deadline)
            if thing is None:
                raise WaitTimeout(f"{found.id} is still {found.state} after {timeout:g} s; it goes on")
        return found

    def _change_of(self, last: httpx.Response, path: str, deadline: float) -> Flow[httpx.Response | None]:
        """The object once it is another than `last`; None when it is still the same at the deadline."""
        while (left := deadline - time.monotonic()) > 0:
            patience = int(min(left, _LONGEST_POLL))
            tag = last.headers.get("ETag")
            headers = {"Prefer": f"wait={patience}", "If-None-Match": tag} if tag else None
            asked = time.monotonic()
            request = self._request("GET", path, headers=headers, read_seconds=patience + READ_SECONDS)
            response = yield from exchange(request, self._retries)
            # A gateway behind a proxy that drops `Prefer` answers at once; it is not to be asked in a hot loop.
            yield Pause(max(0.0, min(left, _SHORTEST_POLL - (time.monotonic() - asked))))
            if response.status_code != 304:
                return response
        return None


def path_of(*parts: str) -> str:
    """The path below `/v1`; what callers pass stays one segment, slashes and all."""
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


class Endpoint(Generic[P, T]):
    """A call with one answer: `Client` gives the answer, `AsyncClient` a coroutine of it."""

    def __init__(self, flow: Callable[Concatenate[Any, P], Flow[T]]) -> None:
        self.flow = flow
        self.__doc__ = flow.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Resource[SyncDriver], owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, instance: Resource[AsyncDriver], owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, instance: Resource[Any] | None, owner: type) -> Any:
        if instance is None:
            return self

        def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            return instance.driver.run(self.flow(instance, *args, **kwargs))

        return functools.update_wrapper(call, self.flow.__get__(instance))


class Listing(Generic[P, T]):
    """A call with a sequence of answers: `Client` gives an iterator, `AsyncClient` an asynchronous one."""

    def __init__(self, feed: Callable[Concatenate[Any, P], Feed[T]]) -> None:
        self.feed = feed
        self.__doc__ = feed.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Resource[SyncDriver], owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, instance: Resource[AsyncDriver], owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, instance: Resource[Any] | None, owner: type) -> Any:
        if instance is None:
            return self

        def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            return instance.driver.iterate(self.feed(instance, *args, **kwargs))

        return functools.update_wrapper(call, self.feed.__get__(instance))
