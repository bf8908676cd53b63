"""How a worker stores a file that a child of it wrote."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from storage.artifacts import Artifact, Artifacts, blocks_of

_RENEW_SECONDS = 1.0


def store_file(artifacts: Artifacts, path: Path, renew: Callable[[], object]) -> Artifact:
    """Store a file; `renew` is called once a second meanwhile, as a large one may take longer than a lease.

    Raises:
        DiskFull: there is no room for it.
        Exception: whatever `renew` raises; then nothing is stored.
    """
    return artifacts.put(_renewing(blocks_of(path), renew))


def _renewing(blocks: Iterator[bytes], renew: Callable[[], object]) -> Iterator[bytes]:
    next_call = time.monotonic() + _RENEW_SECONDS
    for block in blocks:
        if time.monotonic() >= next_call:
            next_call += _RENEW_SECONDS
            renew()
        yield block
