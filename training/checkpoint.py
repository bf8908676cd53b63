"""Nested state with tensors in it as one file, without pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from training.files import write_whole

_FORMAT = "anneal-checkpoint-2"
_CPU = torch.device("cpu")


class UnreadableCheckpoint(Exception):
    """The file is no checkpoint, is damaged, or belongs to another run."""


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Write tensors and texts to one safetensors file, whole or not at all."""
    stored = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_whole(path, lambda temporary: save_file(stored, temporary, metadata))


def save_state(path: Path, state: Any, run: str, weights: Mapping[str, Tensor] | None = None, owner: str = "") -> None:
    """Write nested dicts, lists, tuples, numbers, texts and tensors.

    Args:
        path: the file.
        state: what to keep.
        run: says which run it belongs to; only the same run may read it.
        weights: tensors that whoever knows nothing of the state shall find, named `weights/` and their name, as in a
            model's file. Those that the state holds too, the very same objects, are written once.
        owner: noted in the file, so that two owners of the same run never have the same bytes.
    """
    held = {id(tensor): (f"weights/{name}", tensor) for name, tensor in (weights or {}).items()}
    packed = _pack(state, held)
    stored = dict(held.values())
    layout = {"state": packed, "tensors": {name: _layout(tensor) for name, tensor in stored.items()}}
    save_tensors(path, stored, {"format": _FORMAT, "run": run, "owner": owner, "layout": json.dumps(layout)})


def load_state(path: Path, run: str, device: torch.device = _CPU) -> Any:
    """Read back what `save_state` wrote.

    Args:
        path: the file.
        run: whose it has to be.
        device: where the tensors go that were not on the CPU; those that were stay there.

    Raises:
        UnreadableCheckpoint: on a file that it cannot have written for this run.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - the file is no mapping
    except (SafetensorError, OSError) as error:
        raise UnreadableCheckpoint(f"{path.name} is no whole checkpoint: {error}") from error
    if metadata.get("format") != _FORMAT:
        raise UnreadableCheckpoint(f"{path.name} is no whole checkpoint of this version of Anneal")
    if metadata.get("run") != run:
        raise UnreadableCheckpoint(f"{path.name} belongs to another run")
    layout = json.loads(metadata["layout"])
    tensors = {
        name: _laid_out(stored[name], order).to(device if moved else "cpu")
        for name, (order, moved) in layout["tensors"].items()
    }
    return _unpack(layout["state"], tensors)


def _layout(tensor: Tensor) -> tuple[list[int], bool]:
    """The order of its dimensions in memory, and whether it is elsewhere than on the CPU.

    Kernels for matrices round by the order of the dimensions, and a file knows one order only.
    """
    return sorted(range(tensor.dim()), key=tensor.stride, reverse=True), tensor.device.type != "cpu"


def _laid_out(stored: Tensor, order: list[int]) -> Tensor:
    """The tensor with its dimensions in this order in memory.

    It is a copy: a file's tensors may stand at odd addresses, for which kernels round otherwise too.
    """
    copied = stored.permute(order).clone(memory_format=torch.contiguous_format)
    return copied.permute([order.index(dimension) for dimension in range(len(order))])


def _pack(value: Any, tensors: dict[int, tuple[str, Tensor]]) -> Any:
    """The JSON of a value.

    Args:
        value: what to pack.
        tensors: takes its tensors by identity, each with its name; what is held twice is one tensor when it is read.
    """
    if isinstance(value, Tensor):
        name, _ = tensors.setdefault(id(value), (str(len(tensors)), value))
        return {"tensor": name}
    if isinstance(value, Mapping):
        # Pairs and not an object: JSON would turn the optimizer's whole-number keys into text.
        return {"dict": [[_pack(key, tensors), _pack(item, tensors)] for key, item in value.items()]}
    if isinstance(value, tuple):
        return {"tuple": [_pack(item, tensors) for item in value]}
    if isinstance(value, list):
        return [_pack(item, tensors) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a checkpoint cannot hold a {type(value).__name__}")


def _unpack(layout: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(layout, list):
        return [_unpack(item, tensors) for item in layout]
    if not isinstance(layout, dict):
        return layout
    ((kind, held),) = layout.items()
    if kind == "tensor":
        return tensors[held]
    if kind == "tuple":
        return tuple(_unpack(item, tensors) for item in held)
    return {_unpack(key, tensors): _unpack(item, tensors) for key, item in held}


def digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes of tensors, in the order of their names."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        total.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()
