"""What the routes share: the open database, broker and files of this process, and who is asking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import structlog
from anyio import to_thread
from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api_schemas.errors import Forbidden, InvalidRequest, Unauthorized
from service.doors import Doors, is_loopback
from service.following import Following
from service.standings import Standings
from service.watch import Watch
from storage.artifacts import Artifacts
from storage.database import Database
from storage.line import Line
from storage.queue import Waker
from storage.settings import Settings


@dataclass(frozen=True)
class Gateway:
    """The resources of this process."""

    settings: Settings
    database: Database
    artifacts: Artifacts
    waker: Waker
    watch: Watch
    following: Following
    standings: Standings
    line: Line
    doors: Doors


async def _gateway(request: Request) -> Gateway:
    return request.app.state.gateway


GatewayDependency = Annotated[Gateway, Depends(_gateway)]

_bearer = HTTPBearer(auto_error=False, description="A key made with `anneal keys create`.")


async def _project(
    request: Request,
    gateway: GatewayDependency,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> str:
    """Who asks, as the project that everything they see belongs to.

    Raises:
        Unauthorized: no key, or one that is not valid.
        Forbidden: a page of another site sends the request through somebody's browser.
    """
    secret = credentials.credentials if credentials else None
    project = gateway.doors.recall(secret) or await to_thread.run_sync(gateway.doors.open, secret)
    if project is None and secret is not None:
        raise Unauthorized("this key is not valid; it may have been revoked")
    if project is None:
        raise Unauthorized(
            "send `Authorization: Bearer ann_...`; the operator makes a key with: anneal keys create NAME"
        )
    if secret is None:
        _refuse_other_sites(request)
    structlog.contextvars.bind_contextvars(project=project)
    return project


def _refuse_other_sites(request: Request) -> None:
    """Without keys only this machine may ask, and not for a web page that its browser happens to show."""
    name = request.url.hostname or ""
    if not is_loopback(name):
        raise Forbidden(f"without API keys this gateway answers to localhost, not to {name!r}")
    if request.method not in ("GET", "HEAD") and request.headers.get("sec-fetch-site") == "cross-site":
        raise Forbidden("a page of another site may not change anything here")


ProjectDependency = Annotated[str, Depends(_project)]


async def _idempotency_key(
    idempotency_key: Annotated[
        str | None,
        Header(description="Any text of yours: sending the request again with it gives the same answer, once done."),
    ] = None,
) -> str | None:
    if idempotency_key is None:
        return None
    if not 0 < len(idempotency_key) <= 255 or not idempotency_key.isprintable():
        message = "a key is 1 to 255 printable characters"
        raise InvalidRequest.at("header:Idempotency-Key", "bad_idempotency_key", message)
    return idempotency_key


IdempotencyKey = Annotated[str | None, Depends(_idempotency_key)]
