"""Idempotency keys: a POST that is sent again is answered again, and does nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from api_schemas.base import Reply
from api_schemas.errors import InvalidRequest
from storage.database import insert, now
from storage.tables import IdempotencyRow

ReplyT = TypeVar("ReplyT", bound=Reply)

LIFETIME = timedelta(hours=24)


@dataclass(frozen=True)
class Once:
    """A request that must have its effect once: the client's key, and a digest of what was asked."""

    key: str
    fingerprint: str

    @classmethod
    def of(cls, key: str, *parts: str) -> Once:
        """Make it from the header's value and everything that the request says."""
        return cls(key, hashlib.sha256("\0".join(parts).encode()).hexdigest())


def once(
    session: Session, project: str, request: Once | None, kind: type[ReplyT], work: Callable[[], ReplyT]
) -> tuple[ReplyT, bool]:
    """Do the work and keep its answer, in the caller's transaction, or give the kept answer again.

    A second request with the same key waits here for the first one's transaction and then finds its answer, so there
    is no moment at which a key is taken and its answer unknown.

    Returns:
        The answer, and whether it is a kept one.

    Raises:
        InvalidRequest: the key was used for another request.
    """
    if request is None:
        return work(), False
    kept = _reserve(session, project, request)
    if kept is not None:
        if kept.fingerprint != request.fingerprint:
            message = f"the key {request.key!r} was used for another request in the last 24 hours; use a new one"
            raise InvalidRequest.at("header:Idempotency-Key", "idempotency_key_reused", message)
        return kind.model_validate_json(kept.reply), True
    answer = work()
    session.execute(
        update(IdempotencyRow)
        .where(IdempotencyRow.project_id == project, IdempotencyRow.key == request.key)
        .values(reply=answer.model_dump_json())
        .execution_options(synchronize_session=False)  # no such row is in the session
    )
    return answer, False


def forget(session: Session, project: str, request: Once | None) -> None:
    """Free a key whose work was undone."""
    if request is not None:
        mine = (IdempotencyRow.project_id == project) & (IdempotencyRow.key == request.key)
        session.execute(delete(IdempotencyRow).where(mine))


def forget_expired(session: Session) -> None:
    """Delete the keys that are older than their lifetime."""
    session.execute(delete(IdempotencyRow).where(IdempotencyRow.created_at < now() - LIFETIME))


def _reserve(session: Session, project: str, request: Once) -> IdempotencyRow | None:
    """Take the key, or find who has it; one that is older than its lifetime is taken over."""
    mine = (IdempotencyRow.project_id == project) & (IdempotencyRow.key == request.key)
    said = {"fingerprint": request.fingerprint, "created_at": now(), "reply": ""}
    taking = insert(session, IdempotencyRow).values({"project_id": project, "key": request.key} | said)
    taking = taking.on_conflict_do_update(
        index_elements=[IdempotencyRow.project_id, IdempotencyRow.key],
        set_=said,
        where=IdempotencyRow.created_at < now() - LIFETIME,
    )
    taken = session.scalar(taking.returning(IdempotencyRow.key))
    return None if taken is not None else session.scalars(select(IdempotencyRow).where(mine)).one()
