"""What can go wrong between a client and its gateway; everything the gateway itself says is in `api_schemas.errors`.

AnnealError
├── Unreachable       nobody answers at the gateway's address
├── UnexpectedAnswer  something answers there, and not as an Anneal gateway does
└── WaitTimeout       what was waited for has not ended in time
"""

from __future__ import annotations

import httpx

from api_schemas.errors import ERRORS, AnnealError, Problem


class Unreachable(AnnealError):
    """Nobody answers at the gateway's address."""

    code, title = "unreachable", "Unreachable"

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"cannot reach the gateway at {url} ({reason}); is it running? start it with: anneal up")
        self.url = url


class UnexpectedAnswer(AnnealError):
    """Something answers at the address, and not as an Anneal gateway does."""

    code, title = "unexpected_answer", "Unexpected answer"

    def __init__(self, response: httpx.Response, reason: str) -> None:
        request = response.request
        super().__init__(
            f"{request.method} {request.url} answered {response.status_code} {response.reason_phrase} ({reason}); "
            "is this address an Anneal gateway?"
        )


class WaitTimeout(AnnealError, TimeoutError):
    """What was waited for has not ended in time; it goes on."""

    code, title = "wait_timeout", "Still going"


def error_of(response: httpx.Response) -> AnnealError:
    """The error that a problem document tells, of the class that the gateway raised.

    The request's id, which finds it in the gateway's log, is added as a note.
    """
    try:
        problem = Problem.model_validate_json(response.content)
    except ValueError:
        return UnexpectedAnswer(response, "without a problem document")
    kind = ERRORS.get(response.status_code, AnnealError)
    error = kind(problem.detail, faults=problem.errors, retry_after_seconds=retry_after(response))
    error.add_note(f"request {problem.request_id}")
    return error


def retry_after(response: httpx.Response) -> int | None:
    """Seconds that the answer asks to wait, where it asks in seconds."""
    asked = response.headers.get("Retry-After", "")
    return int(asked) if asked.isdecimal() else None
