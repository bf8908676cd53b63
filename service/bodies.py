"""Which route takes a request, where several of one path take different kinds of body."""

from __future__ import annotations

from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.routing import Match
from starlette.types import Scope


def media_type(scope: Scope) -> str:
    """What a request says its body is, without parameters; empty where it says nothing."""
    return Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()


class JsonRoute(APIRoute):
    """A route for JSON alone; the next route of the same path takes other bodies."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return super().matches(scope) if media_type(scope) == "application/json" else (Match.NONE, {})


class FileRoute(APIRoute):
    """A route for bodies that are a file; the next route of the same path takes forms."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return super().matches(scope) if media_type(scope) != "multipart/form-data" else (Match.NONE, {})
