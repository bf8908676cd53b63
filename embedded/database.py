"""What the supervisor asks of the database; apart, because the import of SQLAlchemy would hold up every start."""

from __future__ import annotations

from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from api_schemas.errors import Unavailable
from embedded.errors import CannotStart
from storage.database import Database
from storage.keys import DEFAULT_PROJECT
from storage.migrations import current, is_ahead, newest, upgrade, what_differs
from storage.workers import list_workers


def migrate(database: Database) -> None:
    """Bring the database up to date.

    Raises:
        CannotStart: when it cannot be opened, or knows a schema that this code does not.
    """
    try:
        found = current(database)
        if is_ahead(found):
            raise CannotStart(what_differs(found))
        if found != newest():
            upgrade(database.url)
    except (Unavailable, DBAPIError) as error:
        raise CannotStart(f"cannot use the database {make_url(database.url)!r}: {error.__cause__ or error}") from error


def worker_is_online(database: Database, pid: int) -> bool:
    """Whether the worker of this process id has said that it takes jobs."""
    return any(worker.online and worker.pid == pid for worker in list_workers(database, DEFAULT_PROJECT))
