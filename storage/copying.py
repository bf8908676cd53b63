"""Rows carried from one database to another, of whatever kind the two are: all of them or none."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, MetaData, Text, insert, select, update
from sqlalchemy import Table as SqlTable
from sqlalchemy.orm import Session

from api_schemas.errors import Conflict, InternalError
from storage.attempts import release_all
from storage.database import Database
from storage.duties import who_is_here
from storage.migrations import current, newest, upgrade, what_differs
from storage.tables import DatasetRow, Document, LeaseRow, ModelTaskRow, Table, WorkerRow

_BATCH_ROWS = 256
"""A row of a curve has up to 64 KiB."""
_PRESENCE = {WorkerRow.__tablename__, LeaseRow.__tablename__}
"""Tables that say who is there at this moment, which is not true of another database."""

Tell = Callable[[str, int], None]
"""Hears the name of a table, and how many of its rows have been copied."""


@dataclass(frozen=True)
class Contents:
    """What a table holds."""

    table: str
    rows: int
    digest: str
    """The sum of the SHA-256 of all rows, modulo 2^256: two databases sort texts differently, so no order counts."""


def copy_database(source: Database, target: Database, tell: Tell = lambda _table, _rows: None) -> list[Contents]:
    """Copy all rows to an empty database in one transaction, compare them there, and let go of what workers held.

    Args:
        source: at this version's schema; it is read as it is at one moment.
        target: without rows; it is brought to this version's schema.
        tell: hears how far it has got.

    Returns:
        What each table holds.

    Raises:
        Conflict: either has the schema of another version, or the target has rows.
        InternalError: the rows that arrived are not those that left; nothing is kept of them.
    """
    _require_schema(source)
    refuse_used(target)
    upgrade(target.url)
    with source.snapshot() as reading, target.write() as session:
        writing = session.connection()
        tables = _tables()
        copied = [_contents(table, _copied(table, reading, writing, tell)) for table in tables]
        for table, contents in zip(tables, copied, strict=True):
            if _contents(table, _batches(table, writing)) != contents:
                raise InternalError(f"the rows of {table.name} did not arrive as they left; the target stays empty")
        _let_go(session)
    return copied


def refuse_used(target: Database) -> None:
    """Let a database be a target only while there is nothing in it.

    Raises:
        Conflict: it has rows, or the schema of another version.
    """
    if current(target) is None:
        return
    _require_schema(target)
    with target.read() as session:
        for table in _tables():
            if session.execute(select(*table.primary_key).limit(1)).first():
                raise Conflict(
                    f"the database to copy to is not empty: it has rows in {table.name}; choose an empty one"
                )


def refuse_busy(database: Database) -> None:
    """Let a database be moved only while nobody writes to it.

    Raises:
        Conflict: gateways or workers use it.
    """
    if current(database) is not None and (here := who_is_here(database)):
        raise Conflict(
            f"{' and '.join(here)} still use the database; end anneal up, or the gateways and workers with SIGTERM, "
            "and try again some seconds later"
        )


def _let_go(session: Session) -> None:
    """Free what workers held: none of them will ever write to this database."""
    release_all(session, "its database was copied while it trained; waiting for a worker")
    for table in (DatasetRow, ModelTaskRow):
        session.execute(update(table).values(lease_until=None))


def _require_schema(database: Database) -> None:
    revision = current(database)
    if revision != newest():
        raise Conflict(what_differs(revision))


def _tables() -> Sequence[SqlTable]:
    """The tables, those first that others refer to, with documents as the texts that they are."""
    plain = MetaData()
    tables = [table for table in Table.metadata.sorted_tables if table.name not in _PRESENCE]
    for table in tables:
        for column in table.to_metadata(plain).columns:
            if isinstance(column.type, Document):
                column.type = Text()
    return [plain.tables[table.name] for table in tables]


def _copied(table: SqlTable, reading: Connection, writing: Connection, tell: Tell) -> Iterator[Sequence[Any]]:
    """The rows of a table, batch by batch, each once it is written."""
    rows = 0
    for batch in _batches(table, reading):
        writing.execute(insert(table), [row._asdict() for row in batch])
        tell(table.name, rows := rows + len(batch))
        yield batch


def _batches(table: SqlTable, connection: Connection) -> Iterator[Sequence[Any]]:
    found = connection.execute(select(table), execution_options={"yield_per": _BATCH_ROWS})
    yield from found.partitions()


def _contents(table: SqlTable, batches: Iterator[Sequence[Any]]) -> Contents:
    rows = total = 0
    for batch in batches:
        rows, total = rows + len(batch), total + sum(_digest(row) for row in batch)
    return Contents(table.name, rows, f"{total % 2**256:064x}")


def _digest(row: Sequence[Any]) -> int:
    total = hashlib.sha256()
    for value in row:
        written = value if isinstance(value, bytes) else repr(value).encode()
        total.update(b"%d:" % len(written) + written)
    return int.from_bytes(total.digest(), "big")
