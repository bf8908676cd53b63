"""The gateway put together."""

from __future__ import annotations

import re
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version

import structlog
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_schemas.errors import Unavailable
from api_schemas.ids import new_id
from service import (
    architectures,
    catalog,
    checkpoints,
    curves,
    datasets,
    document,
    events,
    fetches,
    histograms,
    jobs,
    model_files,
    models,
    operations,
    pages,
    predictions,
    problems,
    uploads,
)
from service.doors import Doors
from service.following import Following
from service.gateway import Gateway
from service.limits import BodyLimit
from service.observation import Observation
from service.polls import Headers, Polls
from service.problems import documented
from service.standings import Standings
from service.watch import Watch
from storage.artifacts import open_artifacts
from storage.database import Database
from storage.garbage import keep_sweeping
from storage.line import Line
from storage.queue import Waker
from storage.reconcile import ROUND_SECONDS, reconcile
from storage.settings import Settings

log = structlog.get_logger()

_UPLOADS = re.compile(r"/v1/datasets|/v1/(jobs|models)/[^/]+/predict")
"""The paths that take files."""


def create_app(settings: Settings) -> FastAPI:
    """The application; it needs no database until the first request."""
    app = FastAPI(
        title="Anneal",
        version=version("anneal"),
        summary="Training as a service, for people who ask why their network does not train.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        # What a job says is the same going in and coming out; making both schemas of it would take a third longer.
        separate_input_output_schemas=False,
        lifespan=_lifespan,
        # Measured is what /metrics says; each request would be asked whether anybody traces it.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        responses=documented(401, 403, 422, 500, 503),
    )
    database = Database(settings.database, max(4, 30 // settings.gateway_processes))
    line, doors = Line(database, settings.project_running), Doors(settings, database)
    app.state.gateway = Gateway(
        settings=settings,
        database=database,
        artifacts=open_artifacts(settings.artifacts),
        waker=Waker(settings.broker),
        watch=Watch(database),
        following=Following(database),
        standings=(standings := Standings(database, line, doors)),
        line=line,
        doors=doors,
    )
    for room in (
        jobs,
        architectures,
        checkpoints,
        curves,
        events,
        fetches,  # before the uploads, which are of the same path
        uploads,
        datasets,
        histograms,
        model_files,
        predictions,
        models,
        catalog,
        operations,
        pages,
    ):
        app.include_router(room.router)
    app.mount("/assets", pages.ASSETS)
    problems.install(app)
    app.add_middleware(
        BodyLimit, most_bytes=settings.max_body_bytes, uploads=_UPLOADS, most_upload_bytes=settings.max_upload_bytes
    )
    app.add_middleware(SecurityHeaders, headers=(headers := _security_headers()))
    app.add_middleware(Observation)
    app.middleware_stack = Polls(
        app.build_middleware_stack(), standings, headers, lambda answer: Observation(SecurityHeaders(answer, headers))
    )
    document.publish(app)
    return app


class SecurityHeaders:
    """Tells browsers to load nothing from elsewhere, and to guess no content types."""

    def __init__(self, app: ASGIApp, headers: Headers) -> None:
        self._app, self._headers = app, headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self._headers]
            await send(message)

        await self._app(scope, receive, sending if scope["type"] == "http" else send)


def _security_headers() -> Headers:
    return [
        (b"content-security-policy", pages.content_security_policy().encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
    ]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    gateway: Gateway = app.state.gateway
    stopped = threading.Event()
    reconciler = threading.Thread(target=_reconcile, args=(gateway, stopped), name="reconciler", daemon=True)
    reconciler.start()
    sweeping = (gateway.database, gateway.artifacts, gateway.settings, new_id("req"), stopped)
    threading.Thread(target=keep_sweeping, args=sweeping, name="sweeper", daemon=True).start()
    yield
    stopped.set()
    gateway.watch.close()
    gateway.standings.close()
    gateway.waker.close()
    gateway.database.close()


def _reconcile(gateway: Gateway, stopped: threading.Event) -> None:
    """Put right what dead workers and lost messages left lying, for as long as the gateway runs."""
    owner = new_id("req")
    while not stopped.wait(ROUND_SECONDS / 2):
        try:
            reconcile(gateway.database, gateway.waker, owner, ROUND_SECONDS)
        except Unavailable as error:
            log.warning("database_away", error=error.detail)
        except Exception:  # one bad round must not end all later ones
            log.exception("reconcile_failed")
