"""The sweep: deletes the stored files that nothing refers to."""

from __future__ import annotations

import threading

import structlog

from api_schemas.errors import Unavailable
from storage.artifacts import Artifacts
from storage.database import Database
from storage.duties import SWEEP, take_duty
from storage.references import references
from storage.settings import Settings

log = structlog.get_logger()

SWEEP_SECONDS = 600.0
"""How often somebody sweeps, at most; a sweep reads the digests of the whole database."""


def sweep(database: Database, artifacts: Artifacts, grace_seconds: float) -> int:
    """Delete the files that nothing refers to, and that nobody stored or renewed of late.

    Whoever refers to a file has just stored or renewed it, and says so in the database within the grace time. So a
    file that was old before the references were read, and is still as old, will not be referred to again.

    Args:
        database: at this version's schema: a later one may refer to files in ways that this code does not know.
        artifacts: what is swept.
        grace_seconds: the age up to which a file is kept, by the store's own clock.

    Returns:
        How many files there were.
    """
    before = artifacts.now() - grace_seconds
    with database.snapshot() as connection:
        kept = references(connection)
    return artifacts.sweep(before, kept)


def keep_sweeping(
    database: Database, artifacts: Artifacts, settings: Settings, owner: str, stopped: threading.Event
) -> None:
    """Sweep again and again, whenever nobody else did for a while, until the event is set."""
    every = min(SWEEP_SECONDS, settings.garbage_seconds)
    while not stopped.wait(every / 10):
        try:
            if take_duty(database, SWEEP, owner, every) and (
                count := sweep(database, artifacts, settings.garbage_seconds)
            ):
                log.info("garbage_deleted", files=count)
        except Unavailable as error:
            log.warning("database_away", error=error.detail)
        except Exception:  # one bad sweep must not end all later ones
            log.exception("sweep_failed")
