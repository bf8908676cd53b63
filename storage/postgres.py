"""Connections to PostgreSQL that do not wait for ever, neither there nor here."""

from __future__ import annotations

from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from sqlalchemy import Engine, create_engine, event

T = TypeVar("T")

_STATEMENT_SECONDS = 10
_LIMITS = {
    "statement_timeout": _STATEMENT_SECONDS * 1000,
    "lock_timeout": 5_000,
    "idle_in_transaction_session_timeout": 30_000,
}
_OPTIONS = " ".join(f"-c {name}={milliseconds}" for name, milliseconds in _LIMITS.items())


class ImpatientConnection(psycopg.Connection[Any]):
    """A connection that is given up when the server has not answered by when it should have refused to.

    A server that died says so; one that hangs, or is cut off by a network that tells nobody, says nothing for ever.
    """

    patience_seconds = _STATEMENT_SECONDS + 2.0
    """Longest wait for one answer."""

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        try:
            return super().wait(gen, interval, self.patience_seconds if timeout is None else timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.close()  # what comes now may be the answer to an earlier question
            raise


def postgres_engine(url: str, most_connections: int) -> Engine:
    """An engine that checks its connections before it lends them, of which it keeps a third open."""
    limits = {"connect_timeout": 3, "options": _OPTIONS}
    kept = -(-most_connections // 3)
    pool = {"pool_pre_ping": True, "pool_size": kept, "max_overflow": most_connections - kept, "pool_timeout": 5}
    engine = create_engine(url, connect_args=limits, **pool)

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, _words: Any, parameters: dict[str, Any]) -> ImpatientConnection:  # pyright: ignore[reportUnusedFunction]
        return ImpatientConnection.connect(**parameters)

    return engine
