"""How many bytes a request may bring."""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_schemas.errors import PayloadTooLarge
from service.bodies import media_type
from service.problems import render


class BodyLimit:
    """Refuses a body that is too large: by what it says of its length, and by what really comes.

    Starlette's own limit answers in plain text, before our errors can.

    Args:
        app: what is protected.
        most_bytes: of a body.
        uploads: paths at which a body that is not JSON brings a file.
        most_upload_bytes: of such a body.
    """

    def __init__(self, app: ASGIApp, most_bytes: int, uploads: re.Pattern[str], most_upload_bytes: int) -> None:
        self._app, self._most_bytes = app, most_bytes
        self._uploads, self._most_upload_bytes = uploads, most_upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        # JSON is held in memory; what else these paths take is written to the disk as it comes.
        file = media_type(scope) != "application/json" and self._uploads.fullmatch(scope["path"])
        most = self._most_upload_bytes if file else self._most_bytes
        announced = headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > most:
            await render(_too_large(most))(scope, receive, send)
            return
        came = 0

        async def receiving() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > most:
                # The one kind of error that passes unharmed through FastAPI's reading of the body.
                raise HTTPException(413)
            return message

        await self._app(scope, receiving, send)


def _too_large(most: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"a body here may have at most {most:,} bytes")
