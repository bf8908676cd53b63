"""The events of a job as they happen: server-sent events, read without a gap across lost connections."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx

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
        while (message := (yield from _next_message())) is not None:
            if message.get("event") == "end":
                return
            if "id" in message:  # the others are hints that there is progress; they are not part of the log
                event = _event(message, response)
                broken, after = 0, event.id
                yield Item(event)
        broken += 1
        if broken > retries:
            raise Unreachable(f"{request.url.scheme}://{request.url.netloc.decode()}", "the event stream breaks off")
        yield Pause(_RECONNECT_SECONDS)


def _next_message() -> Flow[dict[str, str] | None]:
    """The fields of the next message that has data; None when the stream ends or breaks off before that."""
    fields: dict[str, str] = {}
    try:
        while (line := (yield NextLine())) is not None:
            if line:
                name, _, value = line.partition(":")
                fields[name] = value.removeprefix(" ")
            elif "data" in fields:
                return fields
            else:
                fields.clear()  # a comment that keeps the line alive
    except httpx.TransportError:
        return None
    return None


def _event(message: dict[str, str], response: httpx.Response) -> Event:
    try:
        data = json.loads(message["data"])
        about = {"id": int(message["id"]), "type": message.get("event"), "at": data.pop("at", None)}
        return Event.model_validate({**about, "data": data})
    except ValueError as error:
        raise UnexpectedAnswer(response, f"with an event that cannot be read: {message['data']}") from error
