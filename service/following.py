"""What those who follow a job are told, read from the database once for all who have heard the same."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

from anyio import to_thread

from api_schemas.jobs import Event, Job
from storage.database import Database
from storage.jobs import get_events

BATCH = 100
"""Events that are read and sent at a time: so many are in memory for those who catch up."""


@dataclass(frozen=True)
class Telling:
    """What happened to a job behind some event, as server-sent events.

    Attributes:
        version: of the job.
        ended: whether the job has, so that nothing more will happen to it.
        text: the events.
        last: the id of the last of them.
        more: whether there may be further ones already.
        standing: how far the job is, to be said when all that happened was.
    """

    version: int
    ended: bool
    text: str
    last: int
    more: bool
    standing: str


class Following:
    """Reads what happened to jobs: listeners whom a change woke together share one read, and one text in memory."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reads: dict[tuple[str, str, int], asyncio.Task[Telling]] = {}

    async def behind(self, project: str, job_id: str, after: int) -> Telling:
        """What happened to a job behind the event with this id.

        It may have been read a moment before the question: who is told an older version than they know of asks again.

        Raises:
            NotFound: this project has no such job.
            Unavailable: the database does not answer.
        """
        asked = (project, job_id, after)
        if asked not in self._reads:
            self._reads[asked] = asyncio.create_task(to_thread.run_sync(_read, self._database, *asked))
            self._reads[asked].add_done_callback(lambda _: self._reads.pop(asked, None))
        return await asyncio.shield(self._reads[asked])


def _read(database: Database, project: str, job_id: str, after: int) -> Telling:
    job, events = get_events(database, project, job_id, after, BATCH)
    return Telling(
        version=job.version,
        ended=job.terminal,
        text="".join(_told(event) for event in events),
        last=events[-1].id if events else after,
        more=len(events) == BATCH,
        standing=_message("end", {"state": job.state}) if job.terminal else _progress(job),
    )


def _progress(job: Job) -> str:
    progress = {"state": job.state, "step": job.progress.step, "total_steps": job.progress.total_steps}
    return _message("progress", {**progress, "version": job.version})


def _told(event: Event) -> str:
    return _message(event.type, {"at": event.model_dump(mode="json")["at"], **event.data}, event.id)


def _message(kind: str, data: dict[str, str | int | float | None], number: int | None = None) -> str:
    head = f"id: {number}\n" if number is not None else ""
    return f"{head}event: {kind}\ndata: {json.dumps(data)}\n\n"
