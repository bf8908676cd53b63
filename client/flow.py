"""Conversations with a gateway: each written once as a generator, walked by a blocking or an asynchronous driver.

A flow yields a step and is resumed with its outcome: a request with its response, `Open` with a response whose body is
still to come, `NextLine` and `NextBlock` with a line or some bytes of that body or None at its end, `Pause` with
nothing. A transport error is raised inside the flow, at its yield. What the flow returns is the result; a feed also
yields the `Item`s of a sequence.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Self, TypeAlias, TypeVar

import httpx

T = TypeVar("T")


@dataclass(frozen=True)
class Open:
    """Send a request and leave its answer's body on the wire; an answer that tells of an error is read whole."""

    request: httpx.Request


@dataclass(frozen=True)
class NextLine:
    """Read one line of the answer that was opened last."""


@dataclass(frozen=True)
class NextBlock:
    """Read some bytes of the answer that was opened last."""


@dataclass(frozen=True)
class Pause:
    """Let some seconds pass."""

    seconds: float


@dataclass(frozen=True)
class Item(Generic[T]):
    """Hand one element of a sequence to the caller."""

    value: T


Step: TypeAlias = httpx.Request | Open | NextLine | NextBlock | Pause
Flow: TypeAlias = Generator[Step, Any, T]
Feed: TypeAlias = Generator[Step | Item[T], Any, None]


class SyncDriver:
    """Walks flows over a blocking connection."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def run(self, flow: Flow[T]) -> T:
        """Walk a flow to its result."""
        outcome: object = None
        with _Wire(self.http) as wire:
            while True:
                try:
                    step = _resume(flow, outcome)
                except StopIteration as end:
                    return end.value
                outcome = wire.take(step)

    def iterate(self, feed: Feed[T]) -> Iterator[T]:
        """Walk a feed, item by item."""
        outcome: object = None
        with _Wire(self.http) as wire:
            while True:
                try:
                    step = _resume(feed, outcome)
                except StopIteration:
                    return
                if isinstance(step, Item):
                    yield step.value
                    outcome = None
                else:
                    outcome = wire.take(step)


class AsyncDriver:
    """Walks flows without blocking the event loop; only an upload's file is read with blocking calls, 64 KiB each."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def run(self, flow: Flow[T]) -> T:
        """Walk a flow to its result."""
        outcome: object = None
        async with _AsyncWire(self.http) as wire:
            while True:
                try:
                    step = _resume(flow, outcome)
                except StopIteration as end:
                    return end.value
                outcome = await wire.take(step)

    async def iterate(self, feed: Feed[T]) -> AsyncIterator[T]:
        """Walk a feed, item by item."""
        outcome: object = None
        async with _AsyncWire(self.http) as wire:
            while True:
                try:
                    step = _resume(feed, outcome)
                except StopIteration:
                    return
                if isinstance(step, Item):
                    yield step.value
                    outcome = None
                else:
                    outcome = await wire.take(step)


S = TypeVar("S")


def _resume(flow: Generator[S, Any, object], outcome: object) -> S:
    return flow.throw(outcome) if isinstance(outcome, httpx.TransportError) else flow.send(outcome)


class _Wire:
    """Takes the steps of one flow; holds the answer that is open."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._open: httpx.Response | None = None
        self._lines: Iterator[str] = iter(())
        self._blocks: Iterator[bytes] = iter(())

    def take(self, step: Step) -> object:
        try:
            match step:
                case httpx.Request():
                    return self._http.send(step)
                case Open(request):
                    return self._connect(request)
                case NextLine():
                    return next(self._lines, None)
                case NextBlock():
                    return next(self._blocks, None)
                case Pause(seconds):
                    return time.sleep(seconds)
        except httpx.TransportError as error:
            return error

    def _connect(self, request: httpx.Request) -> httpx.Response:
        self.close()
        self._open = response = self._http.send(request, stream=True)
        if response.is_error:
            response.read()
        self._lines, self._blocks = response.iter_lines(), response.iter_bytes()
        return response

    def close(self) -> None:
        if self._open is not None:
            self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class _AsyncWire:
    """Takes the steps of one flow; holds the answer that is open."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._open: httpx.Response | None = None
        self._lines: AsyncIterator[str] | None = None
        self._blocks: AsyncIterator[bytes] | None = None

    async def take(self, step: Step) -> object:
        try:
            match step:
                case httpx.Request():
                    return await self._http.send(step)
                case Open(request):
                    return await self._connect(request)
                case NextLine():
                    return await anext(self._lines, None) if self._lines else None
                case NextBlock():
                    return await anext(self._blocks, None) if self._blocks else None
                case Pause(seconds):
                    return await asyncio.sleep(seconds)
        except httpx.TransportError as error:
            return error

    async def _connect(self, request: httpx.Request) -> httpx.Response:
        await self.close()
        self._open = response = await self._http.send(request, stream=True)
        if response.is_error:
            await response.aread()
        self._lines, self._blocks = response.aiter_lines(), response.aiter_bytes()
        return response

    async def close(self) -> None:
        if self._open is not None:
            await self._open.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
