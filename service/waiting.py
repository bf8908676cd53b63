"""Waiting for an object to change, as a client may ask with `Prefer: wait=30`."""

from __future__ import annotations

from collections.abc import Callable

from service.gateway import Gateway
from service.replies import Known, in_thread
from storage.versions import Standing


async def newest(gateway: Gateway, known: Known, identifier: str, standing: Callable[[], Standing]) -> int:
    """The version of an object; of one that may still change, the next one where the client would wait for it.

    Args:
        gateway: whose watch is asked.
        known: what the client has, and how long it would wait.
        identifier: of the object.
        standing: reads how far the object has come.
    """
    seen = await in_thread(standing)
    if known.wait_seconds and not seen.ended and (known.has_some(seen.version) or not known.compares):
        await gateway.watch.change(identifier, seen.version, known.wait_seconds)
        seen = await in_thread(standing)
    return seen.version
