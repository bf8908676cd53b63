"""When an attempt that may be interrupted makes way for a job of higher priority."""

from __future__ import annotations

import time

from storage.attempts import Claim
from storage.database import Database
from storage.preemption import make_way
from storage.settings import Settings
from worker.slots import Slot

_ASKS_EVERY_SECONDS = 1.0


class Courtesy:
    """Asks for an attempt whether somebody more important waits for its slot.

    Args:
        database: where the jobs are.
        settings: of the worker.
        slot: that the attempt has.
    """

    def __init__(self, database: Database, settings: Settings, slot: Slot) -> None:
        self._database, self._settings, self._slot = database, settings, slot
        self._asked_at = 0.0

    def reason(self, claim: Claim, steps_done: int) -> str | None:
        """Why it shall make way now; None where it may go on.

        An attempt is left alone until it has done a step, so that who makes way again and again still gets on.

        Raises:
            Unavailable: the database does not answer.
        """
        settings = self._settings
        if not claim.spec.resources.preemptible or steps_done <= claim.steps_done:
            return None
        if time.monotonic() - self._asked_at < _ASKS_EVERY_SECONDS:
            return None
        self._asked_at = time.monotonic()
        return make_way(
            self._database,
            claim.lease,
            settings.queue_names,
            self._slot.devices,
            settings.drain_seconds + settings.lease_seconds,
            settings.project_running,
        )
