"""The gateway's own OpenAPI document."""

from __future__ import annotations

import json
from typing import Any

import anyio
from anyio.to_thread import run_sync
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from api_schemas.base import Reply
from api_schemas.errors import Fault, Problem
from api_schemas.predictions import PredictionRequest
from api_schemas.sources import DatasetByUrl


def publish(app: FastAPI) -> None:
    """Let an application serve its document, which says all that its routes refer to."""
    generate, served = app.openapi, _Served(app)
    app.openapi = lambda: _completed(generate())
    app.add_route("/openapi.json", served.answer, include_in_schema=False)


class _Served:
    """The document as JSON, made once it is asked for; nothing but the text is kept."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._text: str | None = None
        self._turn = anyio.Lock()

    async def answer(self, _request: Request) -> Response:
        """The document, which the first who asks waits a second for."""
        async with self._turn:
            if self._text is None:
                self._text = await run_sync(self._make)
        return Response(self._text, media_type="application/json")

    def _make(self) -> str:
        text = json.dumps(self._app.openapi(), separators=(",", ":"))
        self._app.openapi_schema = None
        return text


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    """Add the schemas that routes refer to and FastAPI does not see: of errors, and of a body that may be a file."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for kind in (Problem, Fault, PredictionRequest, DatasetByUrl):
        mode = "serialization" if issubclass(kind, Reply) else "validation"
        schema = kind.model_json_schema(mode=mode, ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {}) | {kind.__name__: schema}
    return document
