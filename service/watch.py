"""Waiting for change: one read of versions a tick, however many listen."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import structlog
from anyio import to_thread

from api_schemas.errors import Unavailable
from storage.database import Database
from storage.versions import read_versions

log = structlog.get_logger()

TICK_SECONDS = 0.1
_SHORTEST_TICK_SECONDS = 0.01


class Watch:
    """Wakes listeners when a job or dataset gets a new version, or is deleted."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listeners: dict[str, dict[asyncio.Event, int]] = defaultdict(dict)
        self._task: asyncio.Task[None] | None = None
        self._tick = TICK_SECONDS
        self.closing = False

    async def change(self, identifier: str, version: int, seconds: float, *, soon: bool = False) -> bool:
        """Wait until the object has another version than the given one.

        Args:
            identifier: which object.
            version: that is known.
            seconds: how long to wait at most.
            soon: whether it may be a matter of milliseconds: the next looks follow each other faster.

        Returns:
            Whether it has; False when the time is up, or the gateway stops.
        """
        if self.closing:
            return False
        changed = asyncio.Event()
        self._listeners[identifier][changed] = version
        if soon:
            self._tick = _SHORTEST_TICK_SECONDS
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())
        try:
            await asyncio.wait_for(changed.wait(), seconds)
        except TimeoutError:
            return False
        finally:
            self._listeners[identifier].pop(changed, None)
            if not self._listeners[identifier]:
                del self._listeners[identifier]
        return not self.closing

    def close(self) -> None:
        """Let every listener go."""
        self.closing = True
        for listeners in self._listeners.values():
            for changed in listeners:
                changed.set()

    async def _look(self) -> None:
        """Tick for as long as somebody listens."""
        while self._listeners and not self.closing:
            try:
                versions = await to_thread.run_sync(read_versions, self._database, list(self._listeners))
            except Unavailable as error:
                log.warning("watch_interrupted", error=error.detail)
            else:
                self._wake(versions)
            tick, self._tick = self._tick, min(2 * self._tick, TICK_SECONDS)
            await asyncio.sleep(tick)

    def _wake(self, versions: dict[str, int]) -> None:
        for identifier, listeners in self._listeners.items():
            for changed, seen in listeners.items():
                if versions.get(identifier) != seen:
                    changed.set()
