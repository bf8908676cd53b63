"""Errors as answers: every one is `application/problem+json`, says where, and what to write instead."""

from __future__ import annotations

import re
from asyncio import CancelledError
from collections.abc import Mapping, Sequence
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_schemas.errors import (
    ERRORS,
    AnnealError,
    DiskFull,
    Fault,
    InternalError,
    InvalidRequest,
    MalformedRequest,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    TooManyRequests,
    Unavailable,
    UnsupportedMediaType,
)
from api_schemas.nearest import nearest
from service.fields import Path, bounds, known_fields
from service.observation import request_id
from storage.artifacts import is_full

MEDIA_TYPE = "application/problem+json"

_OUT_OF_BOUNDS = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}

Json = Any


def install(app: FastAPI) -> None:
    """Make every error of the application a problem."""
    app.add_exception_handler(AnnealError, _anneal_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(OSError, _disk_error)
    app.add_exception_handler(Exception, _fault_of_ours)
    app.add_middleware(Farewell)


class Farewell:
    """Asks whoever is unanswered when the gateway stops to come back; the server would call it a fault of ours."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = scope["type"] != "http"

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except CancelledError:
            if begun:
                raise
            await render(Unavailable("the gateway stops; try again", retry_after_seconds=1))(scope, receive, send)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entries of the errors that a route may answer with."""
    return {
        status: {
            "description": ERRORS[status].title,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def render(error: AnnealError) -> Response:
    """An error as an answer."""
    problem = error.problem(request_id.get())
    headers = {"Cache-Control": "no-store"}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, TooManyRequests) and error.limit is not None:
        name, most = error.limit
        headers["RateLimit-Policy"] = f'"{name}";q={most}'
        headers["RateLimit"] = f'"{name}";r=0;t={error.retry_after_seconds}'
    return Response(problem.model_dump_json(), error.status, headers, MEDIA_TYPE)


async def _anneal_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, AnnealError):
        raise error
    return render(error)


async def _http_error(request: Request, error: Exception) -> Response:
    """What Starlette and FastAPI refuse by themselves."""
    if not isinstance(error, HTTPException):
        raise error
    if is_full(error.__cause__):  # FastAPI takes a body that could not be spooled for one that cannot be read
        return render(_full())
    if error.status_code == 404:
        return render(NotFound(f"there is nothing at {request.url.path!r}; /docs lists what there is"))
    if error.status_code == 405:
        answer = render(MethodNotAllowed(f"{request.method} is not possible at {request.url.path!r}"))
        answer.headers.update(error.headers or {})
        return answer
    if error.status_code == 413:
        return render(PayloadTooLarge("the body is larger than the operator of this gateway allows"))
    return render(ERRORS.get(error.status_code, MalformedRequest)(str(error.detail)))


async def _disk_error(_request: Request, error: Exception) -> Response:
    if not is_full(error):
        raise error
    return render(_full())


def _full() -> DiskFull:
    return DiskFull("the disk of this gateway is full; try again", retry_after_seconds=10)


async def _fault_of_ours(_request: Request, _error: Exception) -> Response:
    # Starlette raises it again behind this answer, so the server logs it, under the request's id.
    return render(InternalError("a fault of ours; the log has more under this request's id"))


async def _validation_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    found: Sequence[Mapping[str, Any]] = error.errors()
    if found[0]["type"] == "json_invalid":
        reason, at = found[0]["ctx"]["error"], found[0]["loc"][-1]
        return render(MalformedRequest(f"the body is not JSON: {reason} at character {at}"))
    if isinstance(error.body, bytes):
        given = request.headers.get("content-type") or "none"
        return render(UnsupportedMediaType(f"send the body as application/json; its content type is {given!r}"))
    model = _body_model(request)
    return render(InvalidRequest.of([_fault(fault, error.body, model) for fault in found]))


def _fault(found: Mapping[str, Any], body: Json, model: type[BaseModel] | None) -> Fault:
    """What pydantic found, with a pointer into what the client sent and the nearest right name."""
    source, *path = found["loc"]
    if source != "body":
        name = str(path[0]) if path else ""
        return Fault(pointer=f"{source}:{name}", code=found["type"], message=_lower(found["msg"]))
    steps = _steps(path, body)
    code, message = found["type"], _lower(found["msg"])
    if code == "missing":
        steps.extend(path[-1:])
    elif code == "union_tag_invalid":
        tag, known = found["ctx"]["tag"], re.findall(r"'([^']*)'", found["ctx"]["expected_tags"])
        steps, code = [*steps, "name"], "unknown_name"
        message = f"{tag!r} is not one of the names here; {nearest(tag, known)}"
    elif code == "union_tag_not_found":
        steps, code, message = [*steps, "name"], "missing", "say which one by its name"
    elif code == "extra_forbidden":
        code, message = "unknown_field", _unknown_field(path, model)
    elif code in _OUT_OF_BOUNDS and model is not None:
        said = bounds(model, path)
        message = f"input should be {said}" if said else message
    elif code == "value_error":
        message = message.removeprefix("value error, ")
        steps += _left_out(path, steps, model)
    return Fault(pointer=_pointer(steps), code=code, message=message)


def _unknown_field(path: Sequence[str | int], model: type[BaseModel] | None) -> str:
    """What to write instead of a field that is not there, and which numbers it takes."""
    *place, name = path
    known = known_fields(model, place) if model else []
    message = f"there is no field {name!r} here; {nearest(str(name), known)}"
    meant = [field for field in known if f"did you mean {field!r}" in message]
    said = bounds(model, [*place, meant[0]]) if model and meant else ""
    return f"{message} {meant[0]!r} is {said}" if said else message


def _left_out(path: Path, steps: Path, model: type[BaseModel] | None) -> Path:
    """The field at the end of a location, where the body has left it to a default that does not fit the rest."""
    last = path[-1:]
    return last if model and last != steps[-1:] and last[0] in known_fields(model, path[:-1]) else []


def _steps(path: Sequence[str | int], body: Json) -> list[str | int]:
    """The steps of a pydantic location that stand in the body; its others name the chosen member of a union."""
    steps: list[str | int] = []
    here: Any = body
    for step in path:
        if _has(here, step):
            here = here[step]
            steps.append(step)
    return steps


def _has(here: Json, step: str | int) -> bool:
    if isinstance(here, list):
        return isinstance(step, int) and step < len(cast("list[Json]", here))
    return isinstance(here, Mapping) and step in here


def _pointer(steps: Sequence[str | int]) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def _body_model(request: Request) -> type[BaseModel] | None:
    """The class of the body that the route takes, where it takes one; a route of several says which."""
    said: type[BaseModel] | None = getattr(request.state, "body_model", None)
    if said is not None:
        return said
    field = getattr(request.scope["route"], "body_field", None)
    kind = field.field_info.annotation if field else None
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
