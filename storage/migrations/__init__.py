"""The schema's history, and how to bring a database up to date.

Every process asks where a database stands; only one that moves it pays for the import of Alembic.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from storage.database import Database

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).parent


def upgrade(database_url: str) -> None:
    """Bring a database to the newest schema, from any older one or from empty."""
    from alembic import command  # noqa: PLC0415

    command.upgrade(config(database_url), "head")


def config(database_url: str) -> Config:
    """Alembic's settings for our history."""
    from alembic.config import Config  # noqa: PLC0415

    settings = Config()
    settings.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    settings.attributes["database_url"] = database_url
    return settings


def is_ahead(revision: str | None) -> bool:
    """Whether a database has a revision that only a later version of this code knows."""
    return revision is not None and revision > newest()


def what_differs(revision: str | None) -> str:
    """What to do about a database that has another revision than this code needs."""
    if is_ahead(revision):
        return f"the database is of a newer Anneal (schema {revision}, this one knows {newest()}); run that version"
    has = f"has the schema {revision}" if revision else "has no schema"
    return f"the database {has}, and this version needs {newest()}; run: anneal migrate"


@cache
def newest() -> str:
    """The revision that this code needs: migrations are numbered, and their files begin with the number."""
    return max(path.name.split("_")[0] for path in (FOLDER / "versions").glob("[0-9]*.py"))


def current(database: Database) -> str | None:
    """The revision that a database has; None where it has no schema yet.

    Raises:
        Unavailable: the database does not answer.
    """
    with database.read() as session:
        if not inspect(session.connection()).has_table("alembic_version"):
            return None
        return session.scalar(text("SELECT version_num FROM alembic_version"))
