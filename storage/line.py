"""The line of jobs that wait: what each waits for, and how many are taken before it."""

from __future__ import annotations

import math
import threading
import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from sqlalchemy import select

from api_schemas.jobs import Job, Waiting
from api_schemas.workers import Device, devices_of
from storage.database import Database
from storage.order import held_by_project
from storage.tables import JobRow, database_time
from storage.workers import online

_FRESH_SECONDS = 1.0


class Asked(Protocol):
    """What a job asks of the worker that takes it: its resources, or as much of its row."""

    @property
    def queue(self) -> str: ...
    @property
    def device(self) -> str: ...
    @property
    def priority(self) -> int: ...


class Line:
    """Tells what jobs wait for, by a look at the whole line that is at most a second old.

    One look answers for all jobs, so that to poll one of 10,000 costs no more than to poll one of ten.

    Args:
        database: where the jobs are.
        most_running: most jobs of a project that workers may have.
    """

    def __init__(self, database: Database, most_running: int | None) -> None:
        self._database, self._most_running = database, most_running
        self._seen: _Look | None = None
        self._lock = threading.Lock()

    def stand(self, job: Job, project: str) -> Job:
        """The job, and what it waits for if it does.

        Raises:
            Unavailable: the database does not answer.
        """
        if job.state != "queued":
            return job
        return job.model_copy(update={"waiting": self.waiting(job.id, job.spec.resources, project)})

    def waiting(self, job_id: str, asked: Asked, project: str) -> Waiting:
        """What a job that is queued waits for.

        Raises:
            Unavailable: the database does not answer.
        """
        look = self._look()
        ahead = look.ahead(job_id, asked, project, self._most_running)
        return Waiting(ahead=ahead, for_=look.reason(job_id, asked, project, self._most_running))

    def _look(self) -> _Look:
        with self._lock:
            if self._seen is None or self._seen.age > _FRESH_SECONDS:
                self._seen = _take_a_look(self._database)
            return self._seen


class _Kind(NamedTuple):
    """What decides who takes a job, and when."""

    queue: str
    device: str
    priority: int
    project: str


@dataclass(frozen=True)
class _Look:
    """The line at one moment."""

    taken_at: float
    """By `time.monotonic`."""
    workers: Sequence[tuple[Device, Sequence[str]]]
    """Of those online, the device and the queues."""
    held: Mapping[str, int]
    """By project, how many jobs workers have."""
    waiting: Mapping[_Kind, Sequence[str]]
    """The jobs that may start now, oldest first."""
    delays: Mapping[str, float]
    """Of the others, in how many seconds they may."""

    @property
    def age(self) -> float:
        """In seconds."""
        return time.monotonic() - self.taken_at

    def ahead(self, job_id: str, asked: Asked, project: str, most_running: int | None) -> int:
        """How many jobs of its queue are taken before one, if none ends and none comes.

        Projects take turns: the job that its project has n before, with workers or in the line, is taken in round n.
        """
        devices = {"auto", asked.device, *(device for able in self._able(asked) for device in devices_of(able))}
        above, equal, older = Counter[str](), Counter[str](), Counter[str]()
        for kind, ids in self.waiting.items():
            if kind.queue != asked.queue or kind.device not in devices or kind.priority < asked.priority:
                continue
            if kind.priority > asked.priority:
                above[kind.project] += len(ids)
            else:
                equal[kind.project] += len(ids)
                older[kind.project] += bisect_left(ids, job_id)
        own_round = self.held.get(project, 0) + above[project] + older[project]
        count = above[project] + older[project]
        for other in (above.keys() | equal.keys()) - {project}:
            held = self.held.get(other, 0)
            rounds = max(0, own_round - held - above[other])
            first_of_its_round = own_round >= held + above[other] and older[other] > rounds
            before = above[other] + min(equal[other], rounds + first_of_its_round)
            count += before if most_running is None else min(before, max(0, most_running - held))
        return count

    def reason(self, job_id: str, asked: Asked, project: str, most_running: int | None) -> str:
        """What a job waits for, as the end of a sentence."""
        delay = self.delays.get(job_id, 0.0) - self.age
        if delay > 0:
            return f"its next try in {math.ceil(delay)} s"
        if not self._able(asked):
            queue = "" if asked.queue == "default" else f" of queue {asked.queue}"
            device = {"cuda": " with a GPU", "mps": " with an Apple GPU"}.get(asked.device, "")
            return f"a worker{queue}{device}; none is online"
        held = self.held.get(project, 0)
        if most_running is not None and held >= most_running:
            return f"the project's running jobs: {held} of {most_running}"
        return "a free worker"

    def _able(self, asked: Asked) -> set[Device]:
        """The devices of the workers that could take such a job."""
        serving: set[Device] = {device for device, queues in self.workers if asked.queue in queues}
        return {device for device in serving if asked.device in ("auto", *devices_of(device))}


def _take_a_look(database: Database) -> _Look:
    taken_at = time.monotonic()
    waiting: dict[_Kind, list[str]] = defaultdict(list)
    delays: dict[str, float] = {}
    kind = (JobRow.queue, JobRow.device, JobRow.priority, JobRow.project_id)
    line = select(JobRow.id, JobRow.not_before - database_time(), *kind).where(JobRow.state == "queued")
    with database.read() as session:
        for job_id, delay, queue, device, priority, project in session.execute(line):
            if delay is not None and delay > 0:
                delays[job_id] = delay
            else:
                waiting[_Kind(queue, device, priority, project)].append(job_id)
        held = dict(session.execute(held_by_project()).all())
        workers: list[tuple[Device, Sequence[str]]] = [(one.device, one.queues) for one in session.scalars(online())]
    return _Look(taken_at, workers, held, {kind: sorted(ids) for kind, ids in waiting.items()}, delays)
