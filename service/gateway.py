"""What the routes share: the open database, broker and files of this process, and who is asking."""

from __future__ import annotations

import ipaddress
import threading
import time
from dataclasses import dataclass
from typing import Annotated

import structlog
from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api_schemas.errors import Forbidden, InvalidRequest, Unauthorized
from service.watch import Watch
from storage.artifacts import Artifacts
from storage.database import Database
from storage.keys import DEFAULT_PROJECT, any_key, project_of
from storage.line import Line
from storage.queue import Waker
from storage.settings import Settings

_KEYS_ARE_LOOKED_FOR_EVERY = 1.0


class Doors:
    """Whether the gateway is open: bound to loopback, and no key was made."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._database = database
        self._loopback = is_loopback(settings.host)
        self._keyless = False
        self._asked_at = -1e9
        self._lock = threading.Lock()

    def open(self) -> bool:
        """Whether a request without a key may enter; a first key closes the door within a second."""
        if not self._loopback:
            return False
        with self._lock:
            if time.monotonic() - self._asked_at > _KEYS_ARE_LOOKED_FOR_EVERY:
                self._keyless, self._asked_at = not any_key(self._database), time.monotonic()
            return self._keyless


@dataclass(frozen=True)
class Gateway:
    """The resources of this process."""

    settings: Settings
    database: Database
    artifacts: Artifacts
    waker: Waker
    watch: Watch
    line: Line
    doors: Doors


def is_loopback(host: str) -> bool:
    """Whether an address or a Host header's name means this very machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _gateway(request: Request) -> Gateway:
    return request.app.state.gateway


GatewayDependency = Annotated[Gateway, Depends(_gateway)]

_bearer = HTTPBearer(auto_error=False, description="A key made with `anneal keys create`.")


def _project(
    request: Request,
    gateway: GatewayDependency,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> str:
    """Who asks, as the project that everything they see belongs to.

    Raises:
        Unauthorized: no key, or one that is not valid.
        Forbidden: a page of another site sends the request through somebody's browser.
    """
    if credentials is not None:
        project = project_of(gateway.database, credentials.credentials)
        if project is None:
            raise Unauthorized("this key is not valid; it may have been revoked")
    elif gateway.doors.open():
        _refuse_other_sites(request)
        project = DEFAULT_PROJECT
    else:
        raise Unauthorized(
            "send `Authorization: Bearer ann_...`; the operator makes a key with: anneal keys create NAME"
        )
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


def _idempotency_key(
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
