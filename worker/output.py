"""What a child process prints: passed on to this process's log as it comes, but never more than its first and last."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from multiprocessing.connection import Connection

MOST_BYTES = 64 << 10
"""Of the beginning, and again of the end."""
_BLOCK = 64 << 10
_STDERR = 2


class Output:
    """Reads what a child prints until it and all that it started have closed the pipe; the child never waits for it.

    Args:
        source: the end of the pipe to read from.
    """

    def __init__(self, source: Connection) -> None:
        self._source = source
        self._reader = threading.Thread(target=self._read, name="output", daemon=True)
        self._reader.start()

    def end(self, patience_seconds: float) -> None:
        """Wait until the last of it is passed on, but not for a process that outlives the child."""
        self._reader.join(patience_seconds)

    def _read(self) -> None:
        room, left_out, ending = MOST_BYTES, 0, b""
        with self._source:
            while block := os.read(self._source.fileno(), _BLOCK):
                _pass_on(block[:room])
                ending += block[room:]
                room -= len(block[:room])
                left_out += len(ending[:-MOST_BYTES])
                ending = ending[-MOST_BYTES:]
        if left_out:
            _pass_on(f"\n[{left_out:,} bytes of output are left out here]\n".encode())
        _pass_on(ending)


def _pass_on(block: bytes) -> None:
    # A log that cannot be written is no reason for a training to end.
    with suppress(OSError), open(_STDERR, "wb", closefd=False) as log:
        log.write(block)
