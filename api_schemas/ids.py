"""Identifiers: a prefix that says what it is, then a UUIDv7, so that ids sort by the time they were made."""

from __future__ import annotations

import re
from typing import Literal

import uuid_utils

Prefix = Literal["job", "ds", "evt", "key", "wrk", "req", "task", "mdl"]

_SHAPE = re.compile(r"[a-z]+_[0-9a-f]{32}")


def new_id(prefix: Prefix) -> str:
    """Make an id such as ``job_0198c2f0...``: unique without asking anybody, later ones sort after earlier ones."""
    return f"{prefix}_{uuid_utils.uuid7().hex}"


def is_id(text: str, prefix: Prefix) -> bool:
    """Tell whether `text` could be an id of this kind at all, before a database is asked."""
    return text.startswith(f"{prefix}_") and _SHAPE.fullmatch(text) is not None
