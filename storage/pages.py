"""Pages of a list, by the id of the last row seen: as cheap at the ten thousandth row as at the first."""

from __future__ import annotations

import base64
from typing import Any, Literal, TypeVar

from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute, Session

from api_schemas.errors import InvalidRequest

T = TypeVar("T")
Sort = Literal["created_at", "-created_at"]


def read_page(
    session: Session,
    query: Select[T],
    identifier: InstrumentedAttribute[str],
    *,
    limit: int,
    cursor: str | None,
    sort: Sort = "-created_at",
) -> tuple[list[T], str | None]:
    """One page of a query's rows, and the cursor of the next one.

    Args:
        session: a transaction.
        query: what to list: rows, or their ids.
        identifier: the id's column; ids sort by creation.
        limit: most rows on a page.
        cursor: of this page, None for the first.
        sort: newest first, or oldest first.

    Raises:
        InvalidRequest: the cursor is none of ours.
    """
    newest_first = sort == "-created_at"
    if cursor is not None:
        last = _decode(cursor)
        query = query.where(identifier < last if newest_first else identifier > last)
    query = query.order_by(identifier.desc() if newest_first else identifier).limit(limit + 1)
    rows = list(session.scalars(query))
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], _encode(_id_of(rows[limit - 1], identifier))


def _id_of(row: Any, identifier: InstrumentedAttribute[str]) -> str:
    return row if isinstance(row, str) else getattr(row, identifier.key)


def _encode(identifier: str) -> str:
    return base64.urlsafe_b64encode(identifier.encode()).decode().rstrip("=")


def _decode(cursor: str) -> str:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except ValueError as error:
        message = "this is no cursor of ours; pass the `next_cursor` of the page before as it is"
        raise InvalidRequest.at("query:cursor", "bad_cursor", message) from error
    if not text.isprintable():
        raise InvalidRequest.at("query:cursor", "bad_cursor", "this is no cursor of ours")
    return text
