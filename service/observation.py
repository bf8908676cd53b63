"""What is seen of every request: a line in the log, and the numbers for Prometheus."""

from __future__ import annotations

import time

import structlog
from asgi_correlation_id import correlation_id
from prometheus_client import Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger()

REQUESTS = Counter("anneal_requests", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram(
    "anneal_request_seconds",
    "Time until an answer begins.",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60),
)
JOBS = Gauge("anneal_jobs", "Jobs in the database.", ["state"])


class Observation:
    """Measures each request and gives its log lines one id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status, seconds = time.perf_counter(), 500, 0.0

        async def sending(message: Message) -> None:
            nonlocal status, seconds
            if message["type"] == "http.response.start":
                status, seconds = message["status"], time.perf_counter() - started
            await send(message)

        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=correlation_id.get())
        try:
            await self._app(scope, receive, sending)
        finally:
            # The route's pattern, not the path: an id in a label would make a series of its own.
            route = getattr(scope.get("route"), "path", "none")
            REQUESTS.labels(scope["method"], route, str(status)).inc()
            SECONDS.labels(scope["method"], route).observe(seconds)
            log.info("request", method=scope["method"], path=scope["path"], status=status, seconds=round(seconds, 4))
