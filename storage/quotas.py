"""How many jobs a project may have."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api_schemas.errors import TooManyRequests
from storage.database import take_turns
from storage.tables import JobRow

_RETRY_SECONDS = 5


def refuse_beyond(session: Session, project: str, most_queued: int | None) -> None:
    """See to it that a project may let one more job wait; others that ask for it wait until the transaction ends.

    Raises:
        TooManyRequests: as many wait as may.
    """
    if most_queued is None:
        return
    take_turns(session, f"queued jobs of {project}")
    counted = select(func.count()).where(JobRow.project_id == project, JobRow.state == "queued")
    waiting = session.scalar(counted) or 0
    if waiting >= most_queued:
        raise TooManyRequests(
            f"{waiting} jobs of this project wait, and no more than {most_queued} may; "
            "a place is free as soon as one of them starts, is paused, cancelled or deleted",
            limit=("queued", most_queued),
            retry_after_seconds=_RETRY_SECONDS,
        )


def take_turns_claiming(session: Session, most_running: int | None) -> None:
    """Let claims follow each other where they have to count: two at once would each see room for one more."""
    if most_running is not None:
        take_turns(session, "claims")
