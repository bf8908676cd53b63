"""How a worker finds jobs by itself, so that a broker that is away delays none."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import structlog

from storage.order import in_order
from worker.tasks import Workplace, train_next

log = structlog.get_logger()


class Lookout:
    """Looks for jobs that wait while slots are free, and trains them in threads of its own.

    Celery reconnects ever less often, up to half a minute apart; wake-ups alone would keep jobs waiting after the
    broker is back.

    Args:
        place: the worker's.
    """

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self._threads = ThreadPoolExecutor(len(place.slots.all), "lookout")

    def look(self) -> None:
        """Take up as many jobs as wait and slots are free; a wake-up that comes first has taken them.

        Raises:
            Unavailable: the database does not answer.
        """
        free = self._place.slots.free
        if not free or self._place.leaving:
            return
        settings, devices = self._place.settings, self._place.slots.all[0].devices
        line = in_order(settings.queue_names, devices, settings.project_running)
        with self._place.database.read() as session:
            waiting = session.scalars(line.limit(free)).all()
        for _ in waiting:
            self._threads.submit(self._work)

    def close(self) -> None:
        """Wait for the end of what it trains."""
        self._threads.shutdown()

    def _work(self) -> None:
        try:
            self._place.slots.work(lambda slot: train_next(self._place, slot))
        except Exception:  # nobody asks a thread how it ended
            log.exception("work_failed")
