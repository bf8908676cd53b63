"""Python source of values and calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from api_schemas.catalog.call import Call, Name

WIDTH = 100
"""Columns of what is printed here; what is taken from our own source is as wide as it stands there."""
_INDENT = "    "

Refer = Callable[[str], str]
"""Gives the expression that a dotted target is written as."""


def source(value: Any, refer: Refer, column: int = 0, level: int = 0) -> str:
    """A value as an expression: on one line where it fits, else one item a line.

    Args:
        value: a call, a name, or plain data.
        refer: writes the targets of the calls in it.
        column: where on its line it begins, and how much follows it there.
        level: how deep that line is indented.
    """
    opening, items, closing = _split(value, refer)
    flat = _flat(value, refer)
    if not items or (column + len(flat) <= WIDTH and not _is_stack(value)):
        return flat
    inner = level + 1
    lines = [
        f"{_INDENT * inner}{before}{source(item, refer, len(_INDENT) * inner + len(before) + 1, inner)},\n"
        for before, item in items
    ]
    return f"{opening}\n{''.join(lines)}{_INDENT * level}{closing.lstrip(',')}"


def _flat(value: Any, refer: Refer) -> str:
    opening, items, closing = _split(value, refer)
    return opening + ", ".join(before + _flat(item, refer) for before, item in items) + closing


def names_in(value: Any) -> set[str]:
    """The names that calls are given."""
    if isinstance(value, Name):
        return {value.name}
    _, items, _ = _split(value, str)
    return {name for _, item in items for name in names_in(item)}


def text(value: str) -> str:
    """A text as a literal, in double quotes where it can be."""
    literal = repr(value)
    return f'"{literal[1:-1]}"' if literal[0] == "'" and '"' not in value else literal


def _is_stack(value: Any) -> bool:
    """A network is read from top to bottom: one layer a line."""
    return isinstance(value, Call) and value.target == "torch.nn.Sequential" and len(value.args) > 1


def _split(value: Any, refer: Refer) -> tuple[str, list[tuple[str, Any]], str]:
    """What an expression opens with, its items and what stands before each, and what closes it."""
    if isinstance(value, Call):
        named = [(f"{key}=", arg) for key, arg in value.kwargs.items()]
        return f"{refer(value.target)}(", [*(("", arg) for arg in value.args), *named], ")"
    if isinstance(value, Mapping):
        return "{", [(f"{source(key, refer)}: ", item) for key, item in value.items()], "}"
    if isinstance(value, list):
        return "[", [("", item) for item in value], "]"
    if isinstance(value, tuple):
        return "(", [("", item) for item in value], ",)" if len(value) == 1 else ")"
    return _plain(value), [], ""


def _plain(value: Any) -> str:
    if isinstance(value, Name):
        return value.name
    if isinstance(value, str):
        return text(value)
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    raise TypeError(f"a script cannot hold a {type(value).__name__}")
