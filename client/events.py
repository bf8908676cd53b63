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
_LAST: str = "end"


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
        while True:
            event = yield from _next_event(response)
            if event is None:
                break
            broken, after = 0, event.id
            yield Item(event)
            if event.type == _LAST:
                return
        broken += 1
        if broken > retries:
            raise Unreachable(f"{request.url.scheme}://{request.url.netloc.decode()}", "the event stream breaks off")
        yield Pause(_RECONNECT_SECONDS)


def _next_event(response: httpx.Response) -> Flow[Event | None]:
    """Read up to the end of one event; None when the stream ends or breaks off before that.

    What has no id, a heartbeat or a hint that there is progress, is not part of the job's log and is skipped.
    """
    fields: dict[str, str] = {}
    try:
        while (line := (yield NextLine())) is not None:
            if line:
                name, _, value = line.partition(":")
                fields[name] = value.removeprefix(" ")
            elif "id" in fields and "data" in fields:
                return Event.model_validate_json(fields["data"])
            else:
                fields.clear()
    except httpx.TransportError:
        return None
    except ValidationError as error:
        raise UnexpectedAnswer(response, "an event that is none") from error
    return None
