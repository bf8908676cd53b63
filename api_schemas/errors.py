"""Every error a caller can meet; each knows its HTTP status, the gateway renders it and the client raises it again.

AnnealError
├── MalformedRequest      400  the body cannot be read at all
├── Unauthorized          401  no key, or one that is not valid
├── Forbidden             403  the key may not do this
├── NotFound              404  no such thing in this project
├── MethodNotAllowed      405  the path exists, the method does not
├── Conflict              409  not in the state that it is in now
├── PayloadTooLarge       413  more bytes than the operator allows
├── UnsupportedMediaType  415  not the content type that this route takes
├── InvalidRequest        422  understood and refused; `errors` points at each place
├── TooManyRequests       429  later; `retry_after_seconds` says when
├── InternalError         500  a fault of ours
└── Unavailable           503  something that we need is away; `retry_after_seconds` says when to try again
    └── DiskFull          507  there is no room for a file or a row; nothing of what was asked for is kept
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import ConfigDict

from api_schemas.base import Reply


class Fault(Reply):
    """One thing that is wrong, and where."""

    pointer: str
    """JSON Pointer (RFC 6901) into the request body; for a parameter or a header its name, as in `query:limit`."""
    code: str
    """Stable name of the fault, for programs."""
    message: str
    """What is wrong and what to write instead, for people."""


class Problem(Reply):
    """An error answer (RFC 9457), sent as `application/problem+json`."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "/docs/errors#invalid_request",
                "title": "Invalid request",
                "status": 422,
                "detail": "optimizer: 'adamm' is not one of the optimizers; did you mean 'adam'?",
                "code": "invalid_request",
                "request_id": "req_0198c2f0",
                "errors": [{"pointer": "/optimizer/name", "code": "unknown_name", "message": "did you mean 'adam'?"}],
            }
        }
    )

    type: str
    """Where this kind of error is described."""
    title: str
    """What kind of error it is."""
    status: int
    """The HTTP status again."""
    detail: str
    """What happened this time."""
    code: str
    """Stable name of the error, for programs."""
    request_id: str
    """Finds this request in the gateway's log."""
    errors: list[Fault] = []
    """Each fault with its place, where the request was understood and refused."""


class AnnealError(Exception):
    """The root of the tree; not raised itself."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, *, faults: Sequence[Fault] = (), retry_after_seconds: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = list(faults)
        self.retry_after_seconds = retry_after_seconds

    def problem(self, request_id: str) -> Problem:
        """This error as an answer."""
        return Problem(
            type=f"/docs/errors#{self.code}",
            title=self.title,
            status=self.status,
            detail=self.detail,
            code=self.code,
            request_id=request_id,
            errors=self.faults,
        )


class MalformedRequest(AnnealError):
    """The body cannot be read at all."""

    status, code, title = 400, "malformed_request", "Malformed request"


class Unauthorized(AnnealError):
    """No key, or one that is not valid."""

    status, code, title = 401, "unauthorized", "Not authorised"


class Forbidden(AnnealError):
    """The key, or the page that the request came from, may not do this."""

    status, code, title = 403, "forbidden", "Forbidden"


class NotFound(AnnealError):
    """No such thing in this project; whether another project has it is not said."""

    status, code, title = 404, "not_found", "Not found"


class MethodNotAllowed(AnnealError):
    """The path exists, the method does not."""

    status, code, title = 405, "method_not_allowed", "Method not allowed"


class Conflict(AnnealError):
    """The thing is not in a state in which this can be done."""

    status, code, title = 409, "conflict", "Conflict"


class PayloadTooLarge(AnnealError):
    """More bytes than the operator allows."""

    status, code, title = 413, "payload_too_large", "Payload too large"


class UnsupportedMediaType(AnnealError):
    """Not the content type that this route takes."""

    status, code, title = 415, "unsupported_media_type", "Unsupported media type"


class InvalidRequest(AnnealError):
    """Understood and refused; every fault is named with its place."""

    status, code, title = 422, "invalid_request", "Invalid request"

    @classmethod
    def of(cls, faults: Sequence[Fault]) -> InvalidRequest:
        """Make the error whose detail sums up its faults: the first in full, the others counted."""
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        return cls(f"{faults[0].pointer or 'body'}: {faults[0].message}{more}", faults=faults)

    @classmethod
    def at(cls, pointer: str, code: str, message: str) -> InvalidRequest:
        """Make the error of a single fault."""
        return cls.of([Fault(pointer=pointer, code=code, message=message)])


class TooManyRequests(AnnealError):
    """Later: a limit on how often or how much was reached."""

    status, code, title = 429, "too_many_requests", "Too many requests"

    def __init__(
        self,
        detail: str,
        *,
        limit: tuple[str, int] | None = None,
        faults: Sequence[Fault] = (),
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(detail, faults=faults, retry_after_seconds=retry_after_seconds)
        self.limit = limit
        """What is limited, and to how many; sent as the `RateLimit` headers."""


class InternalError(AnnealError):
    """A fault of ours; the log has it under the request's id."""


class Unavailable(AnnealError):
    """Something that the gateway needs, such as its database, is away for now."""

    status, code, title = 503, "unavailable", "Unavailable"


class DiskFull(Unavailable):
    """There is no room for what was asked for; nothing of it is kept, and it can be tried again."""

    status, code, title = 507, "disk_full", "Disk full"


ERRORS: dict[int, type[AnnealError]] = {
    kind.status: kind
    for kind in (
        MalformedRequest,
        Unauthorized,
        Forbidden,
        NotFound,
        MethodNotAllowed,
        Conflict,
        PayloadTooLarge,
        UnsupportedMediaType,
        InvalidRequest,
        TooManyRequests,
        InternalError,
        Unavailable,
        DiskFull,
    )
}
"""The tree by HTTP status."""
