"""One request and its answer: sent again while that can help, read as the contract's classes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from api_schemas.errors import AnnealError
from client.errors import UnexpectedAnswer, Unreachable, error_of
from client.flow import Flow, Open, Pause

R = TypeVar("R", bound=BaseModel)

_FIRST_DELAY = 0.25
_LONGEST_DELAY = 8.0
_LONGEST_ASKED = 60
"""Seconds; whoever asks for more patience gets none, and the caller decides."""
_PASSING = frozenset({408, 429, 502, 503, 504})


def exchange(step: httpx.Request | Open, retries: int) -> Flow[httpx.Response]:
    """Send a request until it is answered.

    Sent again, with full jitter (Brooker, "Exponential Backoff and Jitter", 2015) and not before the answer's
    `Retry-After`, on lost connections, 408, 429, 502, 503, 504, and on a 409 that says when to come back. That is safe
    for every call: a POST carries an idempotency key, the others can be repeated anyway.

    Raises:
        AnnealError: what the gateway answered, as the class it raised there.
        Unreachable: when no try was answered.
    """
    for delay in (*_delays(retries), None):
        try:
            response: httpx.Response = yield step
        except httpx.TransportError as error:
            if delay is None or isinstance(error, httpx.LocalProtocolError):
                raise _unreachable(step, error) from error
            yield Pause(delay)
            continue
        if response.has_redirect_location:
            raise UnexpectedAnswer(response, f"it points to {response.headers['Location']}")
        if not response.is_error:
            return response
        failure = error_of(response)
        if delay is None or not _passes(response, failure):
            raise failure
        yield Pause(max(delay, failure.retry_after_seconds or 0))
    raise AssertionError("the last try returns or raises")


def ask_once(request: httpx.Request) -> Flow[httpx.Response]:
    """Send a request one time and take whatever is answered, an error too.

    Raises:
        Unreachable: when nothing is.
    """
    try:
        return (yield request)
    except httpx.TransportError as error:
        raise _unreachable(request, error) from error


def decode(response: httpx.Response, kind: type[R]) -> R:
    """Read an answer's body.

    Raises:
        UnexpectedAnswer: when it is not what the contract says.
    """
    try:
        return kind.model_validate_json(response.content)
    except ValidationError as error:
        raise UnexpectedAnswer(response, f"its body is no {kind.__name__}") from error


def _delays(retries: int) -> Iterator[float]:
    for attempt in range(retries):
        # Not a secret: this spreads clients out in time.
        yield random.uniform(0, min(_LONGEST_DELAY, _FIRST_DELAY * 2**attempt))  # noqa: S311


def _passes(response: httpx.Response, failure: AnnealError) -> bool:
    asked = failure.retry_after_seconds
    if asked is not None and asked > _LONGEST_ASKED:
        return False
    return response.status_code in _PASSING or (response.status_code == 409 and asked is not None)


def _unreachable(step: httpx.Request | Open, error: httpx.TransportError) -> Unreachable:
    url = (step.request if isinstance(step, Open) else step).url
    return Unreachable(f"{url.scheme}://{url.netloc.decode()}", str(error) or type(error).__name__)
