"""How advice is told."""

from __future__ import annotations

from typing import Literal

from pydantic import JsonValue

from api_schemas.base import Reply
from api_schemas.errors import Fault


class PatchOperation(Reply):
    """One operation of a JSON Patch (RFC 6902)."""

    op: Literal["replace"]
    path: str
    """JSON Pointer (RFC 6901) into the whole spec."""
    value: JsonValue
    """What stands there afterwards."""


class Advice(Fault):
    """One thing that looks unwise, where, and what to do about it."""

    fix: list[PatchOperation] = []
    """JSON Patch (RFC 6902) to the whole spec as the plan or the job shows it, every default filled in. The spec that
    it makes is valid and no longer meets this advice."""
