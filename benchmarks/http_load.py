"""A load of HTTP requests from a process of its own, over connections that stay open: the client of the benchmarks."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Request = bytes


@dataclass(frozen=True)
class Load:
    """What came of a load.

    Attributes:
        seconds: how long it lasted.
        latencies: of each answered request, in seconds.
        statuses: how often each status was answered.
    """

    seconds: float
    latencies: np.ndarray
    statuses: dict[int, int]

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def milliseconds(self, percent: float) -> float:
        """A percentile of the latencies."""
        return 1e3 * float(np.percentile(self.latencies, percent))


def request(method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Request:
    """The bytes of a request to this machine."""
    said = {"Host": "127.0.0.1", **(headers or {})} | ({"Content-Length": str(len(body))} if body else {})
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in said.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def load(port: int, requests: Sequence[Request], *, connections: int, seconds: float = 1e9, most: int = 10**9) -> Load:
    """Send the requests in turn, one at a time on each connection, until the time is up or `most` were sent."""
    ours, theirs = multiprocessing.Pipe()
    arguments = (theirs, port, requests, connections, seconds, most)
    process = multiprocessing.get_context("fork").Process(target=_run, args=arguments)
    process.start()
    theirs.close()
    done = ours.recv()
    process.join()
    return done


def _run(pipe: Any, *arguments: Any) -> None:
    import uvloop  # noqa: PLC0415 - only this process needs it

    pipe.send(uvloop.run(_send_all(*arguments)))


async def _send_all(port: int, requests: Sequence[Request], connections: int, seconds: float, most: int) -> Load:
    job = _Job(requests, most, time.perf_counter() + seconds)
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    clients = [(await loop.create_connection(lambda: _Client(job), "127.0.0.1", port))[1] for _ in range(connections)]
    await asyncio.gather(*(client.ended for client in clients))
    return Load(time.perf_counter() - began, np.array(job.latencies), job.statuses)


@dataclass
class _Job:
    requests: Sequence[Request]
    most: int
    until: float
    sent: int = 0
    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)

    def following(self) -> Request | None:
        if self.sent >= self.most or time.perf_counter() > self.until:
            return None
        self.sent += 1
        return self.requests[self.sent % len(self.requests)]


class _Client(asyncio.Protocol):
    """One connection; it reads answers that say their length, or that can have no body."""

    def __init__(self, job: _Job) -> None:
        self._job, self._came = job, bytearray()
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._came += data
        end = self._came.find(b"\r\n\r\n")
        if end < 0 or len(self._came) < end + 4 + _length(self._came[:end].lower()):
            return
        self._job.latencies.append(time.perf_counter() - self._sent_at)
        status = int(self._came[9:12])
        self._job.statuses[status] = self._job.statuses.get(status, 0) + 1
        self._came.clear()
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(exc or ConnectionError("the server closed the connection"))

    def _send(self) -> None:
        following = self._job.following()
        if following is None:
            self.ended.set_result(None)
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(following)


def _length(head: bytes | bytearray) -> int:
    _, _, rest = head.partition(b"content-length:")
    return int(rest.split(b"\r\n")[0]) if rest else 0
