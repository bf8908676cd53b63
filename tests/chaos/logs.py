"""What happened to every job, as its own log of events tells."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from storage.database import Database
from storage.tables import EventRow


@dataclass(frozen=True)
class Happened:
    """An event of a job."""

    at: float
    """Seconds since the epoch."""
    number: int
    kind: str
    state: str
    """Of a change of state."""
    reason: str
    """For that state."""
    worker: str
    """Of an attempt."""
    step: int | None = None
    """At which it happened."""


Logs = Mapping[str, Sequence[Happened]]
"""The events of each job in their order."""


def read_logs(database: Database) -> Logs:
    """The events of all jobs."""
    logs: dict[str, list[Happened]] = defaultdict(list)
    with database.read() as session:
        for row in session.scalars(select(EventRow).order_by(EventRow.job_id, EventRow.number)):
            about = (str(row.data.get(name, "")) for name in ("state", "reason", "worker"))
            logs[row.job_id].append(Happened(row.at.timestamp(), row.number, row.type, *about, row.data.get("step")))
    return logs
