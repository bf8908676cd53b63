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

_CPU = torch.device("cpu")


class UnreadableCheckpoint(Exception):
    """The file is no checkpoint, is damaged, or belongs to another run."""


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Write tensors and texts to one safetensors file, whole or not at all."""
    stored = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_whole(path, lambda temporary: save_file(stored, temporary, metadata))


def save_state(path: Path, state: Any, run: str, owner: str = "") -> None:
    """Write nested dicts, lists, tuples, numbers, texts and tensors.

    Args:
        path: the file.
        state: what to keep.
        run: says which run it belongs to; only the same run may read it.
        owner: noted in the file, so that two owners of the same run never have the same bytes.
    """
    held: dict[int, tuple[int, Tensor]] = {}
    packed = _pack(state, held)
    layouts = [_layout(tensor) for _, tensor in held.values()]
    stored = {str(place): tensor.permute(layouts[place][0]) for place, tensor in held.values()}
    layout = {"state": packed, "tensors": layouts}
    save_tensors(path, stored, {"run": run, "owner": owner, "layout": json.dumps(layout)})


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
            stored = [file.get_tensor(str(place)) for place in range(len(file.keys()))]
            layout = json.loads(metadata["layout"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise UnreadableCheckpoint(f"{path.name} is no whole checkpoint: {error}") from error
    if metadata.get("run") != run:
        raise UnreadableCheckpoint(f"{path.name} belongs to another run")
    tensors = [
        _laid_out(tensor, order).to(device if moved else "cpu")
        for tensor, (order, moved) in zip(stored, layout["tensors"], strict=True)
    ]
    return _unpack(layout["state"], tensors)


def _layout(tensor: Tensor) -> tuple[list[int], bool]:
    """The order of its dimensions in memory, and whether it is elsewhere than on the CPU.

    Kernels for matrices round by the order of the dimensions, and a file knows one order only.
    """
    return sorted(range(tensor.dim()), key=tensor.stride, reverse=True), tensor.device.type != "cpu"


def _laid_out(stored: Tensor, order: list[int]) -> Tensor:
    """The tensor whose dimensions were stored in this order.

    It is a copy: a file's tensors may stand at odd addresses, for which kernels round otherwise too.
    """
    return stored.clone().permute([order.index(dimension) for dimension in range(len(order))])


def _pack(value: Any, tensors: dict[int, tuple[int, Tensor]]) -> Any:
    """The JSON of a value.

    Args:
        value: what to pack.
        tensors: takes its tensors by identity, each with its place; what is held twice is one tensor when it is read.
    """
    if isinstance(value, Tensor):
        place, _ = tensors.setdefault(id(value), (len(tensors), value))
        return {"tensor": place}
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


def _unpack(layout: Any, tensors: list[Tensor]) -> Any:
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
