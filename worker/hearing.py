"""How a worker hears out a child that reads or fetches a dataset, within limits of time and memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from api_schemas.errors import Fault
from worker.messages import Fetched, Fetching, Found, Progress, Reading
from worker.process import Child

Report: TypeAlias = Callable[[int], bool]
"""Stores how far something has got; answers whether the dataset still waits for it."""

_REPORT_SECONDS = 1.0
_LOOK_SECONDS = 0.05
"""How often its memory is looked at: a reader may take some hundred megabytes more before it is ended."""
_PATIENCE_SECONDS = 1.0

LOST = Fault(pointer="/file", code="lost", message="the dataset was deleted, or another worker reads it")


@dataclass(frozen=True)
class Bounds:
    """What a child may take."""

    seconds: float
    memory_bytes: int
    too_slow: Fault
    """Why it was ended when it took longer."""


def hear(work: str, order: Fetching | Reading, report: Report, bounds: Bounds) -> Fetched | Found | Fault:
    """Hear a child out, reporting once a second for as long as the answer is that the dataset still waits for it."""
    child, count = Child(work), 0
    deadline = time.monotonic() + bounds.seconds
    next_report = time.monotonic() + _REPORT_SECONDS
    try:
        child.line.send(order)
        while time.monotonic() < deadline:
            if child.line.poll(_LOOK_SECONDS):
                message = child.line.recv()
                if not isinstance(message, Progress):
                    return message
                count = message.count
            # An allocation that fails in a thread of polars would not end the reader but leave it waiting for ever.
            if child.memory_bytes > bounds.memory_bytes:
                return _too_much_memory(bounds.memory_bytes)
            if time.monotonic() >= next_report:
                next_report += _REPORT_SECONDS
                if not report(count):
                    return LOST
    except (EOFError, ConnectionError):
        return _DIED
    finally:
        child.kill()
        child.end(_PATIENCE_SECONDS)
    return bounds.too_slow


def _too_much_memory(most_bytes: int) -> Fault:
    message = f"reading the file takes more than {most_bytes:,} bytes of memory; upload a part of it"
    return Fault(pointer="/file", code="too_much_memory", message=message)


_DIED = Fault(
    pointer="/file", code="unreadable", message="the process that read the file died; the worker's log has more"
)
