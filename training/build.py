"""From a catalog entry to the object that it names."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from api_schemas.catalog.call import Call, Name
from api_schemas.catalog.entry import Entry
from api_schemas.catalog.initializations import INITIALIZATION_ROWS
from api_schemas.catalog.layers import InputShape
from api_schemas.catalog.losses import LossEntry
from api_schemas.catalog.models import ModelEntry
from training.losses import ClassLoss, NumberLoss


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


def build_model(entry: ModelEntry, shape: InputShape, outputs: int) -> torch.nn.Sequential:
    """A network from (rows, shape.width) to scores (rows, outputs), its weights as torch's layers draw them."""
    return evaluate(entry.network(shape, outputs))


def initialize(entry: ModelEntry, model: torch.nn.Sequential, rows: Tensor) -> None:
    """Set a network's weights in place, as its entry wants them, from torch's generator.

    Args:
        entry: what the network was built from.
        model: where it shall train.
        rows: prepared training rows (rows, inputs); the first few may be looked at.
    """
    device = next(model.parameters()).device
    evaluate(entry.initialize(model, rows[:INITIALIZATION_ROWS].to(device)))


def build_loss(
    entry: LossEntry, class_counts: Tensor | None = None, model: ModelEntry | None = None
) -> ClassLoss | NumberLoss:
    """A loss of scores (rows, outputs) and targets (rows,), the mean over the rows.

    Args:
        entry: which one.
        class_counts: training rows of each class (classes,), for weights that follow them.
        model: whose scores they are, where a row may have more than one target, as text has.
    """
    return evaluate(model.criterion(entry) if model else entry.call(), {"class_counts": class_counts})
