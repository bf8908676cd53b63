"""Polls of jobs in which nothing changed: answered before the rest of a request is looked at."""

from __future__ import annotations

import re
from typing import NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from api_schemas.errors import AnnealError
from service.problems import render
from service.replies import Known, etag
from service.standings import Standings

_JOB = re.compile(r"/v1/jobs/(job_[0-9A-Za-z_-]{1,36})")
_THIS_MACHINE = re.compile(rb"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")


class Polls:
    """Answers 304 to who asks for a job and has its newest state.

    It says nothing else: whoever is unknown, asks for more or has less goes the long way, and hears there what is
    wrong or new. All that FastAPI does for a request takes ten times as long as this answer.
    """

    def __init__(self, app: ASGIApp, standings: Standings) -> None:
        self._app, self._standings = app, standings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        poll = _poll(scope) if scope["type"] == "http" else None
        if poll is None:
            await self._pass_on(scope, receive, send)
            return
        try:
            tag = await self._standings.tag(poll.job_id, poll.secret)
        except AnnealError as error:
            await render(error)(scope, receive, send)
            return
        if tag is None or not poll.known.has(tag):
            await self._pass_on(scope, receive, send)
            return
        scope["route"] = _Route
        headers = [(b"etag", etag(tag).encode()), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body"})

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        finally:
            # Whoever is answered here may have written the job, or heard something newer than what is remembered.
            if scope["type"] == "http" and (job := _JOB.match(scope["path"])):
                self._standings.forget(job.group(1))


class _Route:
    """What is measured of a poll is measured with the others of its route."""

    path = "/v1/jobs/{job_id}"


class _Poll(NamedTuple):
    job_id: str
    secret: str | None
    known: Known


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
    known = Known(said[b"if-none-match"].decode("latin-1"), None)
    return _Poll(job.group(1), secret.decode("latin-1") if scheme else None, known)
