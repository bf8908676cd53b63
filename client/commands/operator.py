"""The commands of whoever runs Anneal; they work on the database itself, by the settings of the environment."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from api_schemas.errors import Conflict, NotFound
from client.commands.settings import read_settings
from client.terminal import terminal_of

if TYPE_CHECKING:
    from storage.database import Database

keys = typer.Typer(help="API keys, made and revoked on the database itself.", no_args_is_help=True)


def migrate() -> None:
    """Bring the database to this version's schema."""
    # SQLAlchemy and Alembic take a third of a second to import, which the other commands need not pay.
    from storage.migrations import current, is_ahead, upgrade, what_differs  # noqa: PLC0415

    with connected() as database:
        if is_ahead(schema := current(database)):
            raise Conflict(what_differs(schema))
        upgrade(database.url)


@keys.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Whose it is, for people.")] = "unnamed",
    project: Annotated[str, typer.Option(help="What it opens; each project sees its own jobs only.")] = "default",
) -> None:
    """Make a key and print it, once."""
    from storage.keys import create_key  # noqa: PLC0415

    terminal = terminal_of(context)
    with open_database() as database:
        record, secret = create_key(database, name, project)
    terminal.print(secret)
    terminal.err.print(
        f"{record.id} opens the project {record.project!r}; keep the key now, it is not shown again.\n"
        "From now on every call needs a key: set ANNEAL_API_KEY for this command."
    )


@keys.command()
def ls(context: typer.Context) -> None:
    """List keys; their secrets are not stored."""
    from storage.keys import list_keys  # noqa: PLC0415

    terminal = terminal_of(context)
    with open_database() as database:
        found = list_keys(database)
    if terminal.json:
        terminal.dump(found)
        return
    rows = (
        [key.id, key.name, key.project, f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never"]
        for key in found
    )
    terminal.table(["id", "name", "project", "last used"], rows)


@keys.command()
def revoke(
    context: typer.Context, key_id: Annotated[str, typer.Argument(metavar="ID", help="As `anneal keys ls` shows it.")]
) -> None:
    """Make a key useless, at once."""
    from storage.keys import revoke_key  # noqa: PLC0415

    with open_database() as database:
        if not revoke_key(database, key_id):
            raise NotFound(f"there is no key {key_id!r}")
    terminal_of(context).print(f"{key_id} revoked")


@contextmanager
def open_database() -> Generator[Database]:
    """The database that the settings name, with its schema; an empty one is given it.

    Raises:
        Conflict: when it has the schema of another version.
    """
    from storage.migrations import current, newest, upgrade, what_differs  # noqa: PLC0415

    with connected() as database:
        schema = current(database)
        if schema is None:
            upgrade(database.url)
        elif schema != newest():
            raise Conflict(what_differs(schema))
        yield database


@contextmanager
def connected() -> Generator[Database]:
    """The database that the settings name, once it has answered.

    Raises:
        Unavailable: when it does not.
    """
    from storage.database import Database  # noqa: PLC0415
    from storage.migrations import current  # noqa: PLC0415

    settings = read_settings()
    if settings.database_url is None:
        settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = Database(settings.database)
    try:
        current(database)
        yield database
    finally:
        database.close()
