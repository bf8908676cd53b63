"""How an object becomes an answer: its JSON, its ETag, 304 where nothing changed, and waiting for change."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Annotated, TypeVar

import orjson
from anyio import to_thread
from fastapi import Depends, Header, Query
from pydantic import AfterValidator, BaseModel
from starlette.responses import Response

from api_schemas.base import printable
from api_schemas.pages import Page

T = TypeVar("T")
ModelT = TypeVar("ModelT", bound=BaseModel)

LONGEST_WAIT_SECONDS = 60

Limit = Annotated[int, Query(ge=1, le=200, description="Most objects on a page.")]
Text = Annotated[str, AfterValidator(printable)]
"""A text that a database can compare with."""
Cursor = Annotated[str | None, Query(max_length=500, description="`next_cursor` of the page before.")]


def reply(
    body: BaseModel, status: int = 200, *, version: int | str | None = None, location: str | None = None
) -> Response:
    """An object as an answer."""
    headers = {"Cache-Control": "no-cache"}
    if version is not None:
        headers["ETag"] = etag(version)
    if location is not None:
        headers["Location"] = location
    return Response(body.model_dump_json(), status, headers, "application/json")


def page(data: list[ModelT], following: str | None, kind: type[ModelT]) -> Response:
    """A list as an answer."""
    return reply(Page[kind](data=data, has_more=following is not None, next_cursor=following))


def written_page(data: list[str], following: str | None) -> Response:
    """A list of objects that are JSON already, as an answer."""
    listed = [orjson.Fragment(one) for one in data]
    body = {"object": "list", "data": listed, "has_more": following is not None, "next_cursor": following}
    return Response(orjson.dumps(body), 200, {"Cache-Control": "no-cache"}, "application/json")


def document(body: str, known: Known, media_type: str = "application/json") -> Response:
    """A text that stays as it is while the gateway runs; one that the client has already is not sent again."""
    version = hashlib.sha256(body.encode()).hexdigest()
    if known.has(version):
        return unchanged(version)
    return Response(body, 200, {"Cache-Control": "no-cache", "ETag": etag(version)}, media_type)


def etag(version: int | str) -> str:
    """A strong ETag: an object with the same version has the same bytes."""
    return f'"{version}"'


def unchanged(version: int | str) -> Response:
    """304: what the client has is still true."""
    return Response(status_code=304, headers={"ETag": etag(version), "Cache-Control": "no-cache"})


class Known:
    """What the client knows already, and how long it would wait for something new."""

    def __init__(self, if_none_match: str | None, prefer: str | None) -> None:
        self._tags = {tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")}
        asked = re.search(r"(?:^|[,;\s])wait\s*=\s*(\d{1,6})", prefer or "")
        self.wait_seconds = min(int(asked.group(1)), LONGEST_WAIT_SECONDS) if asked else 0

    def has(self, version: int | str) -> bool:
        """Whether the client has this version."""
        return etag(version) in self._tags or "*" in self._tags

    def has_some(self, version: int) -> bool:
        """Whether the client has this version, whatever its ETag says beside it."""
        return self.has(version) or any(tag.startswith(f'"{version}-') for tag in self._tags)

    @property
    def compares(self) -> bool:
        """Whether the client said what it has."""
        return self._tags != {""}


async def _known(
    if_none_match: Annotated[
        str | None, Header(description="The ETag of what you have: 304 without a body where it is still true.")
    ] = None,
    prefer: Annotated[str | None, Header(description="`wait=30` answers only when the object changes.")] = None,
) -> Known:
    return Known(if_none_match, prefer)


KnownDependency = Annotated[Known, Depends(_known)]


async def in_thread(work: Callable[[], T]) -> T:
    """Do blocking work beside the event loop."""
    return await to_thread.run_sync(work)
