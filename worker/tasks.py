"""The Celery tasks: all only wake; what to do is asked of the database."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import structlog
from celery import Celery

from api_schemas.errors import Unavailable
from storage.artifacts import Artifacts
from storage.attempts import claim_together
from storage.companions import Room
from storage.database import Database
from storage.queue import ANSWER, INSPECT, WAKE
from storage.settings import Settings
from worker.inspection import inspect_dataset
from worker.models import Desk
from worker.process import Spares
from worker.slots import Slot, Slots
from worker.supervisor import Supervisor

log = structlog.get_logger()


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
    """Set when it shall end soon: what trains writes a checkpoint."""
    retiring: threading.Event
    """Set when it shall end once all that trains has ended."""

    @property
    def leaving(self) -> bool:
        """Whether it shall take up nothing more."""
        return self.draining.is_set() or self.retiring.is_set()


def register_tasks(app: Celery, place: Workplace) -> None:
    """Give the application its tasks."""

    @app.task(name=WAKE)
    def wake() -> None:  # pyright: ignore[reportUnusedFunction]
        place.slots.work(lambda slot: train_next(place, slot))

    @app.task(name=INSPECT)
    def inspect(dataset_id: str) -> None:  # pyright: ignore[reportUnusedFunction]
        if not place.leaving:
            inspect_dataset(place.database, place.artifacts, place.settings, dataset_id)

    @app.task(name=ANSWER)
    def answer(task_id: str) -> None:  # pyright: ignore[reportUnusedFunction]
        if not place.leaving:
            place.desk.answer(task_id)


def train_next(place: Workplace, slot: Slot) -> bool:
    """Claim a job, and those that train with it, and train them; False where nothing waits that this worker can do."""
    if place.leaving:
        return False
    settings = place.settings
    trainer = place.trainers.take()
    try:
        claims = claim_together(
            place.database,
            place.id,
            settings.queue_names,
            slot.devices,
            settings.lease_seconds,
            settings.project_running,
            Room(slot.number, len(place.slots.all), settings.fuse_most),
        )
    except Unavailable:
        claims = []
    if not claims:
        place.trainers.give_back(trainer)
        return False
    Supervisor(place.database, place.artifacts, settings, place.draining, slot, claims, trainer).run()
    return True
