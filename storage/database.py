"""The connection to the database: transactions, and the one way to look up what a project owns."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Generator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    String,
    any_,
    bindparam,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import InstrumentedAttribute, Session

from api_schemas.errors import DiskFull, NotFound, Unavailable
from storage.tables import Owned, Table

OwnedT = TypeVar("OwnedT", bound=Owned)

_BUSY_SECONDS = 5


class Database:
    """A database, SQLite or PostgreSQL.

    Args:
        url: SQLAlchemy URL, such as `sqlite:////folder/anneal.db` or `postgresql+psycopg://user:password@host/name`.
        most_connections: to PostgreSQL, which takes 100 from everybody unless it is told otherwise.
    """

    def __init__(self, url: str, most_connections: int = 30) -> None:
        self.url = url
        self.engine = _sqlite_engine(url) if url.startswith("sqlite") else _postgres_engine(url, most_connections)
        self._writer = self.engine.execution_options(anneal_writes=True)
        # SQLite has one writer at a time and lets the others sleep; within a process a queue is faster and fair.
        self._turn = threading.Lock() if url.startswith("sqlite") else nullcontext()

    @contextmanager
    def read(self) -> Generator[Session]:
        """A transaction that only reads.

        Raises:
            Unavailable: the database does not answer.
        """
        with _translated(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Generator[Session]:
        """A transaction that commits when the block ends, and rolls back when it raises.

        On SQLite it takes the write lock at its begin: a lock that is asked for in the middle cannot be waited for.

        Raises:
            Unavailable: the database does not answer, or is locked for longer than its timeout.
        """
        with self._turn, _translated(), Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def snapshot(self) -> Generator[Connection]:
        """A transaction that reads everything as it was at one moment, however long it takes.

        Raises:
            Unavailable: the database does not answer.
        """
        options: dict[str, Any] = {} if self.url.startswith("sqlite") else {"isolation_level": "REPEATABLE READ"}
        with _translated(), self.engine.connect() as connection:
            yield connection.execution_options(**options)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def now() -> datetime:
    """This moment, for what people read. Decisions use `storage.tables.database_time`."""
    return datetime.now(UTC)


def owned(table: type[OwnedT], project: str) -> Select[OwnedT]:
    """The rows of a table that this project owns: every look-up for a caller goes through here."""
    return select(table).where(table.project_id == project)


def insert(session: Session, table: type[Table]) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that can say `ON CONFLICT`, in the words of the session's database."""
    return (sqlite if session.get_bind().dialect.name == "sqlite" else postgresql).insert(table)


def one_of(session: Session, column: InstrumentedAttribute[str], values: Collection[str]) -> ColumnElement[bool]:
    """Whether a column has one of these values, however many: `IN` would write and send a parameter for each."""
    if session.get_bind().dialect.name == "postgresql":
        return column == any_(bindparam(None, list(values), postgresql.ARRAY(String)))
    return column.in_(select(func.json_each(json.dumps(list(values))).table_valued("value").c.value))


def take_turns(session: Session, turn: str) -> None:
    """Wait for whoever has this turn until its transaction ends, and have it until ours does.

    On SQLite writers take turns anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(turn, 0))))


def by_id(table: type[OwnedT], project: str, identifier: str) -> Select[OwnedT]:
    """The row of this project with an id, if there is one.

    Raises:
        NotFound: no row can have such an id; PostgreSQL would choke on a NUL in it.
    """
    if not identifier.isprintable():
        raise _absent(table, identifier)
    return owned(table, project).where(_id(table) == identifier)


def fetch(session: Session, table: type[OwnedT], project: str, identifier: str, *, lock: bool = False) -> OwnedT:
    """One row of this project by its id.

    Raises:
        NotFound: there is none; that another project has it is not said.
    """
    query = by_id(table, project, identifier)
    found = session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise _absent(table, identifier)
    return found


def _absent(table: type[Owned], identifier: str) -> NotFound:
    return NotFound(f"there is no {_noun(table)} {identifier!r} in this project")


def _id(table: type[Owned]) -> Any:
    return table.id  # pyright: ignore[reportAttributeAccessIssue]  # each owned table has one, of its own name


def _noun(table: type[Owned]) -> str:
    return table.__tablename__.rstrip("s")  # pyright: ignore[reportAttributeAccessIssue]


@contextmanager
def _translated() -> Generator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        if "disk is full" in str(error) or "No space left on device" in str(error):
            raise DiskFull("the disk of the database is full; try again", retry_after_seconds=10) from error
        raise Unavailable("the database does not answer; try again", retry_after_seconds=1) from error
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        raise Unavailable("the database closed the connection; try again", retry_after_seconds=1) from error


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False}, pool_size=20)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.isolation_level = None  # the driver's own BEGIN comes too late; `begin` below sends ours
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction]
        writes = connection.get_execution_options().get("anneal_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgres_engine(url: str, most_connections: int) -> Engine:
    from storage.postgres import postgres_engine  # noqa: PLC0415  # whoever has SQLite needs no psycopg

    return postgres_engine(url, most_connections)
