"""What an optimizer remembers, as plain data that a checkpoint holds, and how a fresh one is given it."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

_UTILS = "pytorch_optimizer.optimizer.utils"
_KNOWN = {
    f"{_UTILS}.galore.GaLoreProjector",
    f"{_UTILS}.graft.AdaGradGraft",
    f"{_UTILS}.graft.Graft",
    f"{_UTILS}.graft.RMSPropGraft",
    f"{_UTILS}.graft.SGDGraft",
    f"{_UTILS}.graft.SQRTNGraft",
    f"{_UTILS}.partition.BlockPartitioner",
    f"{_UTILS}.preconditioner.PreConditioner",
}
"""The classes whose objects library optimizers keep in their state. No other is ever made from a file, and none by
running its code: it gets its attributes back."""


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Everything that the optimizer's next steps depend on beside its weights and their gradients.

    Not torch's `state_dict`, since some library optimizers keep counters outside of it, in attributes of their own.

    Returns:
        Its attributes in dicts, lists, numbers, texts and tensors. A tuple says in its first place what it stands
        for: a weight by its place among the optimizer's weights, or a value of a type that JSON has not.

    Raises:
        TypeError: where its state or its parameter groups hold what cannot be written.
    """
    places = {id(weight): place for place, weight in enumerate(_weights(optimizer))}
    return _attributes(optimizer, places)


def load_optimizer(optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Put a fresh optimizer where the one stood whose `optimizer_state` this is, bit for bit.

    Args:
        optimizer: made by the same entry for the same weights in the same order.
        state: as `optimizer_state` gave it; the optimizer keeps its tensors.
    """
    weights = _weights(optimizer)
    vars(optimizer).update({name: _given(vars(optimizer).get(name), held, weights) for name, held in state.items()})


def _weights(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [weight for group in optimizer.param_groups for weight in group["params"]]


def _attributes(thing: object, places: Mapping[int, int]) -> dict[str, Any]:
    held: dict[str, Any] = {}
    for name, value in vars(thing).items():
        # A function, a module or a hook is a setting, which the fresh optimizer has of itself.
        with contextlib.nullcontext() if name in {"state", "param_groups"} else contextlib.suppress(TypeError):
            held[name] = _plain(value, places)
    return held


def _plain(value: Any, places: Mapping[int, int]) -> Any:
    if isinstance(value, Tensor):
        return ("weight", places[id(value)]) if id(value) in places else value
    if isinstance(value, Mapping):
        return {_plain(key, places): _plain(item, places) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, places) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return _marked(value, places)


def _marked(value: Any, places: Mapping[int, int]) -> tuple[Any, ...]:
    """A value of a type that JSON has not, behind a word for the type."""
    if isinstance(value, tuple):
        return ("tuple", [_plain(item, places) for item in value])
    if isinstance(value, deque):
        return ("deque", [_plain(item, places) for item in value], value.maxlen)
    if isinstance(value, torch.dtype):
        return ("dtype", str(value).removeprefix("torch."))
    if isinstance(value, torch.optim.Optimizer):
        return ("optimizer", _attributes(value, places))
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if kind not in _KNOWN:
        raise TypeError(f"a checkpoint cannot hold a {kind}")
    return ("object", kind, {name: _plain(item, places) for name, item in vars(value).items()})


def _given(there: Any, held: Any, weights: list[Tensor]) -> Any:
    """The value that `held` stands for.

    Dicts, lists and optimizers that are there already are filled and kept: a wrapper and the optimizer within it
    share their parameter groups.
    """
    if isinstance(held, dict):
        return _filled(there if isinstance(there, dict) else {}, held, weights)
    if isinstance(held, list):
        filled = there if isinstance(there, list) else []
        were = [*filled, *[None] * len(held)]
        filled[:] = [_given(was, item, weights) for was, item in zip(were, held, strict=False)]
        return filled
    return _unmarked(there, held, weights) if isinstance(held, tuple) else held


def _filled(there: dict[Any, Any], held: Mapping[Any, Any], weights: list[Tensor]) -> dict[Any, Any]:
    keys = [_given(None, key, weights) for key in held]
    items = [_given(there.get(key), item, weights) for key, item in zip(keys, held.values(), strict=True)]
    there.clear()
    there.update(zip(keys, items, strict=True))
    return there


def _unmarked(there: Any, held: tuple[Any, ...], weights: list[Tensor]) -> Any:
    match held:
        case ("weight", place):
            return weights[place]
        case ("tuple", items):
            return tuple(_given(None, items, weights))
        case ("deque", items, longest):
            return deque(_given(None, items, weights), longest)
        case ("dtype", name):
            return getattr(torch, name)
        case ("optimizer", attributes):
            load_optimizer(there, attributes)
            return there
        case _:
            _, kind, attributes = held
            return _object(kind, _given(None, attributes, weights))


def _object(kind: str, attributes: Mapping[str, Any]) -> object:
    if kind not in _KNOWN:
        raise ValueError(f"a checkpoint may not hold a {kind}")
    module, _, name = kind.rpartition(".")
    made = object.__new__(getattr(import_module(module), name))
    vars(made).update(attributes)
    return made
