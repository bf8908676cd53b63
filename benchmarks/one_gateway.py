"""A gateway alone, for benchmarks of what it answers."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from embedded.supervisor import make_child, pick_port
from storage.migrations import upgrade
from storage.settings import Settings


@contextlib.contextmanager
def gateway(home: Path) -> Iterator[tuple[int, int]]:
    """The port and the process of a gateway without a worker and without a broker."""
    settings = Settings(home=home, port=pick_port("127.0.0.1", 0))
    upgrade(settings.database)
    child = make_child("gateway", settings, home)
    child.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{settings.port}", trust_env=False) as http:
            while not _answers(http):
                if child.returncode is not None:
                    raise SystemExit(child.epitaph())
                time.sleep(0.02)
        yield settings.port, child.pid
    finally:
        child.stop(5)


def _answers(http: httpx.Client) -> bool:
    try:
        return http.get("/healthz").is_success
    except httpx.TransportError:
        return False
