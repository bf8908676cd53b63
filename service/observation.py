"""What is seen of every request: its id, a line in the log, and the numbers for Prometheus."""

from __future__ import annotations

import os
import re
import time
from contextvars import ContextVar
from functools import cache

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_schemas.ids import new_id

log = structlog.get_logger()

REQUESTS = Counter("anneal_requests", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram(
    "anneal_request_seconds",
    "Time until an answer begins.",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60),
)
JOBS = Gauge("anneal_jobs", "Jobs in the database.", ["state"], multiprocess_mode="mostrecent")

request_id: ContextVar[str] = ContextVar("request_id", default="unknown")
"""Of the request that is being answered."""

REQUEST_ID = b"x-request-id"
"""The header that says a request's id."""
_GIVEN = re.compile(rb"[A-Za-z0-9._-]{1,64}")


def measurements() -> bytes:
    """What Prometheus reads; where several processes serve one port, of all of them together."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return generate_latest(registry)


class Observation:
    """Measures each request, and gives it an id that its answer and its log lines have too.

    The id is the client's own `X-Request-ID`, unless that could forge a line.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status, seconds = time.perf_counter(), 500, 0.0
        identifier = identify(scope)

        async def sending(message: Message) -> None:
            nonlocal status, seconds
            if message["type"] == "http.response.start":
                status, seconds = message["status"], time.perf_counter() - started
                message["headers"] = [*message.get("headers", ()), (REQUEST_ID, identifier.encode())]
            await send(message)

        request_id.set(identifier)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=identifier)
        try:
            await self._app(scope, receive, sending)
        finally:
            # The route's pattern, not the path: an id in a label would make a series of its own.
            route = getattr(scope.get("route"), "path", "none")
            observe(scope, route, status, seconds)


def observe(scope: Scope, route: str, status: int, seconds: float, **said: str) -> None:
    """Count and log an answer.

    Args:
        scope: the request.
        route: the pattern of its path.
        status: that was answered.
        seconds: until the answer began.
        said: what else its line in the log says.
    """
    answered, took = _numbers(scope["method"], route, str(status))
    answered.inc()
    took.observe(seconds)
    # That nothing changed is no news, and thousands of polls a second would fill the log.
    say = log.debug if status == 304 else log.info
    say("request", status=status, method=scope["method"], path=scope["path"], seconds=round(seconds, 4), **said)


@cache
def _numbers(method: str, route: str, status: str) -> tuple[Counter, Histogram]:
    """What counts such answers and their time; looked up anew it would take longer than both."""
    return REQUESTS.labels(method, route, status), SECONDS.labels(method, route)


def identify(scope: Scope) -> str:
    """The id of a request: its client's own, unless that could forge a line."""
    given = next((value for name, value in scope["headers"] if name == REQUEST_ID), b"")
    return given.decode() if _GIVEN.fullmatch(given) else new_id("req")
