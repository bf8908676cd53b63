"""From a catalog entry to the object that it names."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import torch

from api_schemas.catalog.call import Call, Name
from api_schemas.catalog.entry import Entry
from api_schemas.catalog.losses import LossEntry
from api_schemas.catalog.models import ModelEntry


def resolve(entry: Entry) -> Any:
    """The object behind an entry's dotted target; pure arithmetic such as a schedule has none.

    Raises:
        ValueError: when the entry has no target.
    """
    if entry.target is None:
        raise ValueError(f"{entry.kind} {entry.name!r} builds nothing")
    return _named(entry.target)


def build(entry: Entry, *args: Any) -> Any:
    """What an entry names, made with its knobs; `args` come first."""
    return evaluate(entry.call(*args))


def evaluate(value: Any, names: Mapping[str, Any] | None = None) -> Any:
    """Make a call, and every call within its arguments, in the order of the arguments.

    Args:
        value: a call; whatever else is its own value.
        names: what each `Name` stands for.
    """
    if isinstance(value, Call):
        args = [evaluate(arg, names) for arg in value.args]
        return _named(value.target)(*args, **{key: evaluate(arg, names) for key, arg in value.kwargs.items()})
    if isinstance(value, Name):
        return (names or {})[value.name]
    if isinstance(value, list | tuple):
        return type(value)(evaluate(item, names) for item in value)
    return value


def _named(target: str) -> Any:
    module, _, name = target.rpartition(".")
    return getattr(import_module(module), name)


def build_model(entry: ModelEntry, inputs: int, outputs: int) -> torch.nn.Module:
    """A network from (rows, inputs) to scores of shape (rows, outputs), its weights drawn from torch's generator."""
    return build(entry, inputs, outputs)


def build_loss(entry: LossEntry) -> torch.nn.Module:
    """A loss of scores (rows, outputs) and targets (rows,), the mean over the rows."""
    return build(entry)
