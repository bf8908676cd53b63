"""Polls of jobs in which nothing changed: answered before the rest of a request is looked at."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from api_schemas.errors import AnnealError
from service.observation import REQUEST_ID, identify, observe
from service.problems import render
from service.replies import Known, etag
from service.standings import Standings

Headers = Sequence[tuple[bytes, bytes]]

_JOB = re.compile(r"/v1/jobs/(job_[0-9A-Za-z_-]{1,36})")
_THIS_MACHINE = re.compile(rb"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")
_ROUTE = "/v1/jobs/{job_id}"
"""What is measured of a poll is measured with the others of its route."""


class Polls:
    """Answers 304 to who asks for a job and has its newest state.

    It says nothing else: whoever is unknown, asks for more or has less goes the long way, and hears there what is
    wrong or new. It stands before all other middleware: what they and FastAPI do for a request takes ten times as
    long as this answer.

    Args:
        app: answers all else.
        standings: knows how far jobs are.
        headers: of every answer.
        observed: what measures an answer that is given here and is no 304.
    """

    def __init__(
        self, app: ASGIApp, standings: Standings, headers: Headers, observed: Callable[[ASGIApp], ASGIApp]
    ) -> None:
        self._app, self._standings, self._observed = app, standings, observed
        self._headers = [*headers, (b"cache-control", b"no-cache")]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        poll = _poll(scope) if scope["type"] == "http" else None
        if poll is None:
            await self._pass_on(scope, receive, send)
            return
        began = time.perf_counter()
        try:
            tag = await self._standings.tag(poll.job_id, poll.secret)
        except AnnealError as error:
            scope["route"] = _Route
            await self._observed(render(error))(scope, receive, send)
            return
        if tag is None or not poll.has(tag):
            await self._pass_on(scope, receive, send)
            return
        request_id = identify(scope)
        headers = [*self._headers, (b"etag", etag(tag).encode()), (REQUEST_ID, request_id.encode())]
        seconds = time.perf_counter() - began
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body"})
        observe(scope, _ROUTE, 304, seconds, request_id=request_id)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        finally:
            # Whoever is answered here may have written the job, or heard something newer than what is remembered.
            if scope["type"] == "http" and (job := _JOB.match(scope["path"])):
                self._standings.forget(job.group(1))


class _Route:
    path = _ROUTE


class _Poll(NamedTuple):
    job_id: str
    secret: str | None
    known: bytes
    """The tags that the client has, as it says them."""

    def has(self, tag: str) -> bool:
        return self.known == etag(tag).encode() or Known(self.known.decode("latin-1"), None).has(tag)


def _poll(scope: Scope) -> _Poll | None:
    """What a request asks, if it is no more than whether a job is as it was."""
    job = _JOB.fullmatch(scope["path"]) if scope["method"] == "GET" else None
    if job is None or scope["query_string"]:
        return None
    said = dict[bytes, bytes](scope["headers"])
    if b"if-none-match" not in said or b"prefer" in said:
        return None
    scheme, _, secret = said.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"bearer" if scheme else not _THIS_MACHINE.fullmatch(said.get(b"host", b"")):
        return None
    return _Poll(job.group(1), secret.decode("latin-1") if scheme else None, said[b"if-none-match"])
