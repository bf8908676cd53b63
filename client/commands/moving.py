"""The commands that carry all state elsewhere; they work on the database and the files themselves."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from client.commands.operator import connected, open_database
from client.commands.settings import BadSettings, read_settings
from client.terminal import Terminal, terminal_of

if TYPE_CHECKING:
    from storage.database import Database

_URLS = ("postgresql+psycopg://", "sqlite:///")
_Tell = Callable[[str, int], None]


def migrate_database(
    context: typer.Context,
    to: Annotated[
        str, typer.Option(metavar="URL", help="postgresql+psycopg://user:password@host/name or sqlite:///path.")
    ],
) -> None:
    """Copy the database to another, empty one, of the same kind or not; the files stay where they are.

    Nothing arrives until all has, so a copy that was interrupted is simply started again.
    """
    from storage.copying import copy_database, refuse_busy  # noqa: PLC0415

    terminal = terminal_of(context)
    with open_database() as source, _database_at(to) as target, _progress(terminal) as tell:
        refuse_busy(source)
        refuse_busy(target)
        copied = copy_database(source, target, tell)
    terminal.table(["table", "rows", "checksum"], ([one.table, f"{one.rows:,}", one.digest[:16]] for one in copied))
    terminal.err.print("All rows are there. From now on set ANNEAL_DATABASE_URL to the new database.")


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The file to write; one that is there is replaced once all is well.")],
) -> None:
    """Put the database and all files that it refers to into one file, while Anneal runs or not."""
    from storage.artifacts import open_artifacts  # noqa: PLC0415
    from storage.backup import back_up  # noqa: PLC0415

    terminal = terminal_of(context)
    with open_database() as database, _progress(terminal) as tell:
        manifest = back_up(database, open_artifacts(read_settings().artifacts), file, tell)
    terminal.print(f"{file} has the database and {len(manifest.files):,} files")
    if manifest.missing:
        terminal.err.print(f"{len(manifest.missing):,} files are missing or damaged here, and so in the backup:")
        terminal.err.print(*manifest.missing, sep="\n")


def restore(context: typer.Context, file: Annotated[Path, typer.Argument(help="As anneal backup wrote it.")]) -> None:
    """Bring a backup back, into an empty database of any kind; what was training goes on from its checkpoint."""
    from storage.artifacts import open_artifacts  # noqa: PLC0415
    from storage.backup import restore as bring_back  # noqa: PLC0415

    terminal = terminal_of(context)
    with connected() as database, _progress(terminal) as tell:
        manifest = bring_back(database, open_artifacts(read_settings().artifacts), file, tell)
    terminal.print(
        f"restored the database and {len(manifest.files):,} files, as of {manifest.created_at:%Y-%m-%d %H:%M} UTC"
    )


@contextmanager
def _database_at(url: str) -> Generator[Database]:
    """The database behind a URL, once it has answered.

    Raises:
        BadSettings: when it is none of ours.
    """
    from storage.database import Database  # noqa: PLC0415
    from storage.migrations import current  # noqa: PLC0415

    if not url.startswith(_URLS):
        raise BadSettings(f"--to is the URL of a database, which begins with {' or '.join(_URLS)}")
    with closing(Database(url)) as database:
        current(database)
        yield database


@contextmanager
def _progress(terminal: Terminal) -> Generator[_Tell]:
    """Show how far it has got, where somebody watches."""
    with terminal.err.status("copying") as status:
        yield lambda what, count: status.update(f"copying {what}: {count:,}")
