"""API keys: 256 random bits behind a prefix, of which only a digest is stored."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy import delete, func, select

from api_schemas.ids import new_id
from api_schemas.workers import ApiKey
from storage.database import Database, now
from storage.tables import KeyRow

DEFAULT_PROJECT = "default"
"""Whose everything is while no keys are made."""

_PREFIX = "ann_"
_USE_IS_NOTED_EVERY = timedelta(minutes=1)


def create_key(database: Database, name: str, project: str = DEFAULT_PROJECT) -> tuple[ApiKey, str]:
    """Make a key; the secret is returned here and never again."""
    secret = _PREFIX + secrets.token_urlsafe(32)
    row = KeyRow(id=new_id("key"), project_id=project, name=name, sha256=_digest(secret), created_at=now())
    with database.write() as session:
        session.add(row)
        session.flush()
        return _key(row), secret


def list_keys(database: Database) -> list[ApiKey]:
    """All keys, oldest first."""
    with database.read() as session:
        return [_key(row) for row in session.scalars(select(KeyRow).order_by(KeyRow.id))]


def revoke_key(database: Database, key_id: str) -> bool:
    """Delete a key; False where there is none of that id."""
    with database.write() as session:
        return session.scalar(delete(KeyRow).where(KeyRow.id == key_id).returning(KeyRow.id)) is not None


def project_of(database: Database, secret: str) -> str | None:
    """The project that a secret opens, or None.

    The look-up is by digest, so how long it takes says nothing about the secret.
    """
    with database.read() as session:
        row = session.scalar(select(KeyRow).where(KeyRow.sha256 == _digest(secret)))
    if row is None:
        return None
    if row.last_used_at is None or now() - row.last_used_at > _USE_IS_NOTED_EVERY:
        with database.write() as session:
            used = session.get(KeyRow, row.id)
            if used is not None:
                used.last_used_at = now()
    return row.project_id


def any_key(database: Database) -> bool:
    """Whether a key was ever made and not revoked."""
    with database.read() as session:
        return bool(session.scalar(select(func.count()).select_from(KeyRow)))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _key(row: KeyRow) -> ApiKey:
    return ApiKey(
        id=row.id, name=row.name, project=row.project_id, created_at=row.created_at, last_used_at=row.last_used_at
    )
