"""How many bytes a request may bring."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_schemas.errors import PayloadTooLarge
from service.problems import render


class BodyLimit:
    """Refuses a body that is too large: by what it says of its length, and by what really comes.

    Starlette's own limit answers in plain text, before our errors can.

    Args:
        app: what is protected.
        most_bytes: of a body.
        exceptions: other limits, by path.
    """

    def __init__(self, app: ASGIApp, most_bytes: int, exceptions: dict[str, int]) -> None:
        self._app, self._most_bytes, self._exceptions = app, most_bytes, exceptions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._exceptions.get(scope["path"], self._most_bytes)
        announced = Headers(scope=scope).get("content-length", "")
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
