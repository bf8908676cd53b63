"""The Celery tasks: all only wake; what to do is asked of the database."""

from __future__ import annotations

import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

import structlog
from celery import Celery

from api_schemas.errors import Fault, Unavailable
from storage.artifacts import Artifacts, blocks_of
from storage.attempts import claim
from storage.database import Database
from storage.datasets import Contents, Inspection, claim_inspection, finish_inspection
from storage.queue import ANSWER, INSPECT, WAKE
from storage.settings import Settings
from worker.messages import Found, Reading, UploadedFile
from worker.models import Desk
from worker.process import Child, Spares
from worker.slots import Slot, Slots
from worker.supervisor import Supervisor

log = structlog.get_logger()

READ = "worker.reader:read"
INSPECTION_SECONDS = 600.0
"""How long the reading of a file may take."""


@dataclass(frozen=True)
class Workplace:
    """What the tasks of a worker work with."""

    id: str
    settings: Settings
    database: Database
    artifacts: Artifacts
    slots: Slots
    trainers: Spares
    desk: Desk
    draining: threading.Event


def register_tasks(app: Celery, place: Workplace) -> None:
    """Give the application its tasks."""

    @app.task(name=WAKE)
    def wake() -> None:  # pyright: ignore[reportUnusedFunction]
        place.slots.work(lambda slot: train_next(place, slot))

    @app.task(name=INSPECT)
    def inspect(dataset_id: str) -> None:  # pyright: ignore[reportUnusedFunction]
        inspect_dataset(place, dataset_id)

    @app.task(name=ANSWER)
    def answer(task_id: str) -> None:  # pyright: ignore[reportUnusedFunction]
        place.desk.answer(task_id)


def train_next(place: Workplace, slot: Slot) -> bool:
    """Claim a job and train it; False where nothing waits that this worker can do."""
    if place.draining.is_set():
        return False
    settings = place.settings
    trainer = place.trainers.take()
    try:
        claimed = claim(place.database, place.id, settings.queue_names, slot.devices, settings.lease_seconds)
    except Unavailable:
        claimed = None
    if claimed is None:
        place.trainers.give_back(trainer)
        return False
    Supervisor(place.database, place.artifacts, settings, place.draining, slot, claimed, trainer).run()
    return True


def inspect_dataset(place: Workplace, dataset_id: str) -> None:
    """Read an uploaded file, in a process of its own, and store what stands in it."""
    inspection = claim_inspection(place.database, dataset_id, INSPECTION_SECONDS)
    if inspection is None:
        return
    scratch = place.settings.folder / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{dataset_id}-", dir=scratch) as folder:
        outcome = _read(place, inspection, Path(folder) / "arrays")
    finish_inspection(place.database, inspection, outcome)
    log.info("dataset_read", dataset=dataset_id, outcome=type(outcome).__name__)


def _read(place: Workplace, inspection: Inspection, arrays: Path) -> Contents | Fault:
    reading = Reading(
        files=[UploadedFile(file.name, place.artifacts.path(file.sha256)) for file in inspection.files],
        format=inspection.format,
        choices=inspection.choices,
        target=inspection.target,
        arrays=arrays,
        memory_bytes=place.settings.trainer_memory_bytes,
    )
    child = Child(READ)
    try:
        child.line.send(reading)
        answer = child.line.recv() if child.line.poll(INSPECTION_SECONDS) else _TOO_SLOW
    except (EOFError, ConnectionError):
        answer = _DIED
    finally:
        child.end(patience_seconds=1)
    if isinstance(answer, Found):
        stored = place.artifacts.put(blocks_of(arrays))
        return Contents(answer.rows, answer.columns, answer.warnings, answer.preview, stored.sha256)
    return answer


_TOO_SLOW = Fault(
    pointer="/file", code="too_slow", message=f"the file could not be read within {INSPECTION_SECONDS:g} s"
)
_DIED = Fault(
    pointer="/file", code="unreadable", message="the process that read the file died; it may need too much memory"
)
