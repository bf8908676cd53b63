"""A worker's floor for tests: real attempts, one after the other, without a broker."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

from api_schemas.datasets import DatasetFile
from api_schemas.jobs import Checkpoint, Event, Job, JobSpec
from api_schemas.plan import make_plan
from storage import attempts, datasets, jobs
from storage.artifacts import FileArtifacts
from storage.checkpoints import list_checkpoints
from storage.companions import Room
from storage.database import Database
from storage.datasets import NewDataset
from storage.metrics import read_metrics
from storage.migrations import upgrade
from storage.settings import Settings
from tests.servers import descendants, wait_until
from worker.inspection import inspect_dataset
from worker.process import Child, warm_up
from worker.slots import Slot
from worker.supervisor import TRAIN, Supervisor

MINE = "default"


@dataclass
class Floor:
    """Submits jobs and trains them in this process, as a worker with one slot would.

    Attributes:
        settings: of the worker.
        threads: of its slot.
    """

    settings: Settings
    threads: int = 1
    draining: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        warm_up()
        upgrade(self.settings.database)
        self.database = Database(self.settings.database)
        self.artifacts = FileArtifacts(self.settings.folder / "artifacts")

    def upload(self, text: str) -> str:
        """The id of a dataset, read."""
        stored = self.artifacts.put([text.encode()])
        file = DatasetFile(name="data.csv", sha256=stored.sha256, bytes=stored.bytes)
        new = NewDataset("data.csv", "csv", [file], None, [], None)
        dataset_id = datasets.add_dataset(self.database, MINE, new)[0].id
        inspect_dataset(self.database, self.artifacts, self.settings, dataset_id)
        return dataset_id

    def submit(self, **spec: Any) -> Job:
        """Submit a job."""
        asked = JobSpec.model_validate({"dataset": {"name": "iris"}} | spec)
        uploaded = getattr(asked.dataset, "id", None)
        dataset = datasets.get_dataset(self.database, MINE, uploaded) if uploaded else None
        return jobs.submit(self.database, MINE, make_plan(asked, dataset))[0]

    def attempt(self, work: str = TRAIN, together: int = 1) -> None:
        """Train the next job, or several together, or do other work in their place, until the attempts end."""
        seconds, room = self.settings.lease_seconds, self.room(together)
        claims = attempts.claim_together(self.database, "wrk_1", ["default"], ["cpu"], seconds, room=room)
        assert len(claims) == together, "fewer jobs wait"
        slot = Slot(0, "cpu", self.threads)
        Supervisor(self.database, self.artifacts, self.settings, self.draining, slot, claims, Child(work)).run()

    def room(self, most: int) -> Room:
        """Of its slot."""
        return Room(0, 1, most)

    @contextmanager
    def attempting(self, work: str = TRAIN, together: int = 1) -> Iterator[threading.Thread]:
        """Train the next jobs meanwhile; returns when their attempts have ended."""
        thread = threading.Thread(target=self.attempt, args=[work, together])
        thread.start()
        yield thread
        thread.join()

    def look(self, job: Job) -> Job:
        """The job as it is now."""
        return jobs.get_job(self.database, MINE, job.id)

    def wait_for_step(self, job: Job, step: int) -> int:
        """Wait until an attempt has got so far; returns its trainer's process id."""
        wait_until(lambda: self.look(job).progress.step >= step, 60, f"step {step}")
        (trainer,) = trainers()
        return trainer

    def events(self, job: Job, kind: str) -> list[Event]:
        """What of a kind happened to a job."""
        found = jobs.get_events(self.database, MINE, job.id, 0, 1000)[1]
        return [event for event in found if event.type == kind]

    def curves(self, job: Job) -> dict[str, tuple[list[int], list[float | None]]]:
        """Steps and values of each series."""
        series = read_metrics(self.database, MINE, job.id)[0].series
        return {part.key: (part.step, part.value) for part in series}

    def checkpoints(self, job: Job) -> list[Checkpoint]:
        """Those that are kept, oldest first."""
        return list_checkpoints(self.database, MINE, job.id)[::-1]

    def arrays(self, job: Job) -> Path:
        """Where the columns lie that a job reads."""
        return self.file(datasets.get_arrays(self.database, MINE, job.spec.dataset.id)[1])

    def file(self, sha256: str) -> Path:
        """Where a stored file lies."""
        return self.artifacts.path(sha256)


def trainers() -> list[int]:
    """The children of this process that train: forked from its warm process, each leads a session of its own."""
    warm = forkserver._forkserver._forkserver_pid
    return [pid for pid in descendants(warm) if os.getsid(pid) == pid]
