"""The gateway's own OpenAPI document."""

from __future__ import annotations

import json
import sys
from typing import Any

import anyio
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from api_schemas.base import Reply
from api_schemas.errors import Fault, Problem
from api_schemas.predictions import PredictionRequest
from api_schemas.sources import DatasetByUrl
from storage.settings import Settings

_MAKE = [sys.executable, "-P", "-m", "service.document"]


def publish(app: FastAPI) -> None:
    """Let an application serve its document, which says all that its routes refer to."""
    generate, served = app.openapi, _Served()
    app.openapi = lambda: _completed(generate())
    app.add_route("/openapi.json", served.answer, include_in_schema=False)


class _Served:
    """The document as JSON, made by another process: the schemas behind it would stay in this one's memory for good."""

    def __init__(self) -> None:
        self._text: bytes | None = None
        self._turn = anyio.Lock()

    async def answer(self, _request: Request) -> Response:
        """The document, which the first who asks waits a second or two for."""
        async with self._turn:
            if self._text is None:
                self._text = (await anyio.run_process(_MAKE, stderr=None)).stdout
        return Response(self._text, media_type="application/json")


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    """Add the schemas that routes refer to and FastAPI does not see: of errors, and of a body that may be a file."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for kind in (Problem, Fault, PredictionRequest, DatasetByUrl):
        mode = "serialization" if issubclass(kind, Reply) else "validation"
        schema = kind.model_json_schema(mode=mode, ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {}) | {kind.__name__: schema}
    return document


if __name__ == "__main__":
    from service.app import create_app

    sys.stdout.write(json.dumps(create_app(Settings()).openapi(), separators=(",", ":")))
