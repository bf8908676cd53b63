"""The events of a job as they happen: server-sent events, read without a gap across lost connections."""

from __future__ import annotations

from collections.abc import Callable

import httpx
from pydantic import ValidationError

from api_schemas.jobs import Event
from client.errors import UnexpectedAnswer, Unreachable
from client.exchange import exchange
from client.flow import Feed, Flow, Item, NextLine, Open, Pause

_RECONNECT_SECONDS = 0.5


def follow(request_after: Callable[[int], httpx.Request], after: int, retries: int) -> Feed[Event]:
    """Every event of a job in its order, each once, until the job has ended.

    Args:
        request_after: makes the request for the stream behind an event's id.
        after: the id of the last event that is known already.
        retries: how often a broken stream may be taken up again without any event in between.
    """
    broken = 0
    while True:
        request = request_after(after)
        response = yield from exchange(Open(request), retries)
        if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
            raise UnexpectedAnswer(response, "not an event stream")
        while (event := (yield from _next_event(response))) is not None:
            broken, after, kind = 0, event.id, event.type
            yield Item(event)
            if kind == "end":
                return
        broken += 1
        if broken > retries:
            raise Unreachable(f"{request.url.scheme}://{request.url.netloc.decode()}", "the event stream breaks off")
        yield Pause(_RECONNECT_SECONDS)


def _next_event(response: httpx.Response) -> Flow[Event | None]:
    """Read up to the end of one event; None when the stream ends or breaks off before that.

    Of an event only its data is read, which holds its id and type too.
    """
    data: list[str] = []
    try:
        while (line := (yield NextLine())) is not None:
            if line.startswith("data:"):
                data.append(line.removeprefix("data:").removeprefix(" "))
            elif not line and data:
                return Event.model_validate_json("\n".join(data))
    except httpx.TransportError:
        return None
    except ValidationError as error:
        raise UnexpectedAnswer(response, "an event that is none") from error
    return None
