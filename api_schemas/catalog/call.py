"""A call as data: what to call and with what, so that the trainer can do it and a script can print it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Name:
    """A value that is known only where the call is made, by the name that it has there."""

    name: str


@dataclass(frozen=True)
class Call:
    """A function or class by its dotted name, and its arguments: numbers, texts, lists, names and further calls.

    `training.build.evaluate` makes it, `script.text.source` prints it as Python; both from this one description, so
    that what a script shows is what the trainer did.
    """

    target: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict[str, Any])
