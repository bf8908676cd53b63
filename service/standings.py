"""How far jobs have come, read from the database once a tick for all who poll."""

from __future__ import annotations

import asyncio
import math
import time
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from api_schemas.errors import AnnealError
from api_schemas.jobs import JobState, Waiting
from service.doors import Doors
from storage.database import Database
from storage.line import Line
from storage.versions import JobStanding, read_standings

TICK_SECONDS = 0.1
"""Oldest answer to a poll."""
_GAP_SECONDS = 0.02
"""Shortest pause between two reads: whoever asks for the first time meanwhile shares the next one."""
_AHEAD_SECONDS = 0.5
"""For so long a job is read again without being asked for: its next poll will find that done."""

_Asked = tuple[str, str | None]
"""A job's id and the key of whoever polls it."""


@dataclass
class _Read:
    """A read of the database and what it found."""

    done: asyncio.Event = field(default_factory=asyncio.Event)
    began: float = -math.inf
    """By `time.monotonic`."""
    took: float = 0.0
    """Seconds."""
    tags: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    """By job, its project and its tag."""
    projects: Mapping[str | None, str | None] = field(default_factory=dict[str | None, str | None])
    """By secret, the project that it opens."""
    error: AnnealError | None = None

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() - self.began < TICK_SECONDS

    def tag(self, job_id: str, secret: str | None) -> str | None:
        """What the ETag of a job says; None where there is none for whoever has this key."""
        project, tag = self.tags.get(job_id, (None, None))
        return tag if project is not None and project == self.projects.get(secret) else None


class Standings:
    """Tells the tags of jobs to those who poll, by a read of all of them that is at most a tick old.

    However many poll however many jobs, the database is read ten to twenty times a second, and up to fifty times while
    ever new jobs are asked for; soon after the last poll, never. What this process wrote or said otherwise is seen at
    once.

    Args:
        database: where the jobs are.
        line: what those that wait are told.
        doors: whose keys open what.
    """

    def __init__(self, database: Database, line: Line, doors: Doors) -> None:
        self._database, self._line, self._doors = database, line, doors
        self._last, self._next = _Read(), _Read()
        self._asked: dict[_Asked, float] = {}
        self._began = 0.0
        self._written: set[str] = set()
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        # One of its own: polls shall not wait for a thread that draws a picture.
        self._thread = ThreadPoolExecutor(1, "standings")

    async def tag(self, job_id: str, secret: str | None) -> str | None:
        """What the ETag of a job says now; None where there is none for whoever has this key.

        Raises:
            Unavailable: the database does not answer.
        """
        self._asked[job_id, secret] = time.monotonic()
        if self._task is None:
            self._task = asyncio.create_task(self._read_on())
        if self._last.is_fresh and (tag := self._last.tag(job_id, secret)) is not None:
            return tag
        coming = self._next
        self._wanted.set()
        await coming.done.wait()
        if coming.error is not None:
            raise coming.error
        return coming.tag(job_id, secret)

    def forget(self, job_id: str) -> None:
        """Hear that a job may have been written to: what was read of it, or is being read, may be no longer true."""
        self._last.tags.pop(job_id, None)
        self._written.add(job_id)

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False)

    async def _read_on(self) -> None:
        """Read again and again for as long as somebody polls: soon for whoever waits, else before a tick is over."""
        try:
            while asked := self._still_asked():
                self._asked = asked
                self._wanted.clear()
                self._written.clear()
                reading, self._next = self._next, _Read()
                await self._read(reading, list(asked))
                await asyncio.sleep(_GAP_SECONDS)
                # As late as the next answers will still be there in time.
                until = max(TICK_SECONDS / 2, TICK_SECONDS - 2 * reading.took) + reading.began
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wanted.wait(), max(0, until - time.monotonic()))
        finally:
            self._task = None

    def _still_asked(self) -> dict[_Asked, float]:
        """What was asked since the last read began, and what it answered to those who asked not long before."""
        lately = time.monotonic() - _AHEAD_SECONDS
        return {
            asked: at
            for asked, at in self._asked.items()
            if at >= self._began or (at > lately and self._last.tag(*asked) is not None)
        }

    async def _read(self, reading: _Read, asked: Sequence[_Asked]) -> None:
        reading.began = self._began = time.monotonic()
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._look, reading, asked)
            self._last = reading
        except AnnealError as error:
            reading.error = error
        finally:
            for job_id in self._written:
                reading.tags.pop(job_id, None)
            reading.took = time.monotonic() - reading.began
            reading.done.set()

    def _look(self, reading: _Read, asked: Sequence[_Asked]) -> None:
        reading.projects = {secret: self._doors.open(secret) for secret in {secret for _, secret in asked}}
        found = read_standings(self._database, {job_id for job_id, _ in asked})
        reading.tags = {job_id: (one.project, self._tag(job_id, one)) for job_id, one in found.items()}

    def _tag(self, job_id: str, found: JobStanding) -> str:
        if found.state != "queued":
            return job_tag(found.version, found.state, None)
        return job_tag(found.version, found.state, self._line.waiting(job_id, found, found.project))


def job_tag(version: int, state: JobState, waiting: Waiting | None) -> str:
    """What a job's ETag says: its version and, while it waits, what it waits for, which changes without it.

    Args:
        version: of the job.
        state: of the job.
        waiting: what it waits for; None where that was not looked up, so that nobody has it yet.
    """
    if state != "queued":
        return str(version)
    return f"{version}-{zlib.crc32(waiting.model_dump_json().encode()):x}" if waiting else f"{version}-"
