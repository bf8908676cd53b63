"""The schema's history, and how to bring a database up to date."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from storage.database import Database

FOLDER = Path(__file__).parent


def upgrade(database_url: str) -> None:
    """Bring a database to the newest schema, from any older one or from empty."""
    command.upgrade(config(database_url), "head")


def config(database_url: str) -> Config:
    """Alembic's settings for our history."""
    settings = Config()
    settings.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    settings.attributes["database_url"] = database_url
    return settings


@cache
def newest() -> str:
    """The revision that this code needs."""
    head = ScriptDirectory(str(FOLDER)).get_current_head()
    if head is None:
        raise RuntimeError("there are no migrations")
    return head


def current(database: Database) -> str | None:
    """The revision that a database has; None where it has no schema yet.

    Raises:
        Unavailable: the database does not answer.
    """
    with database.read() as session:
        return MigrationContext.configure(session.connection()).get_current_revision()
