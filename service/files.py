"""Stored files as answers."""

from __future__ import annotations

from starlette.responses import FileResponse, Response

from api_schemas.errors import NotFound
from service.gateway import Gateway
from service.replies import Known, etag, in_thread, unchanged


async def send(gateway: Gateway, known: Known, sha256: str, filename: str) -> Response:
    """A stored file, or 304 where the client has it.

    Raises:
        NotFound: the file was deleted since its digest was looked up.
    """
    if known.has(sha256):
        return unchanged(sha256)
    try:
        path = await in_thread(lambda: gateway.artifacts.path(sha256))
    except FileNotFoundError as error:
        raise NotFound(f"{filename} is not kept any more") from error
    headers = {"ETag": etag(sha256), "Cache-Control": "no-cache"}
    return FileResponse(path, 200, headers, "application/octet-stream", filename=filename)
