"""A page of a list and how to ask for the next."""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

from api_schemas.base import Reply

T = TypeVar("T")


class Page(Reply, Generic[T]):
    """One page; pass `next_cursor` as `?cursor=` to get the next, and stop when `has_more` is false."""

    object: Literal["list"] = "list"
    data: list[T]
    has_more: bool
    next_cursor: str | None = None
