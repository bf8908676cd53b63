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
    tensors: dict[str, Tensor] = {}
    layout = json.dumps(_pack(state, tensors))
    save_tensors(path, tensors, {"run": run, "owner": owner, "state": layout})


def load_state(path: Path, run: str) -> Any:
    """Read back what `save_state` wrote, tensors on the CPU.

    Raises:
        UnreadableCheckpoint: on a file that it cannot have written for this run.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            layout = json.loads(metadata["state"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise UnreadableCheckpoint(f"{path.name} is no whole checkpoint: {error}") from error
    if metadata.get("run") != run:
        raise UnreadableCheckpoint(f"{path.name} belongs to another run")
    return _unpack(layout, tensors)


def _pack(value: Any, tensors: dict[str, Tensor]) -> Any:
    """The JSON of a value; its tensors are moved into `tensors` under the names that the JSON has for them."""
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = value
        return {"tensor": name}
    if isinstance(value, Mapping):
        # Pairs and not an object: JSON would turn the optimizer's whole-number keys into text.
        return {"dict": [[key, _pack(item, tensors)] for key, item in value.items()]}
    if isinstance(value, tuple):
        return {"tuple": [_pack(item, tensors) for item in value]}
    if isinstance(value, list):
        return [_pack(item, tensors) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a checkpoint cannot hold a {type(value).__name__}")


def _unpack(layout: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(layout, list):
        return [_unpack(item, tensors) for item in layout]
    if not isinstance(layout, dict):
        return layout
    ((kind, held),) = layout.items()
    if kind == "tensor":
        return tensors[held]
    if kind == "tuple":
        return tuple(_unpack(item, tensors) for item in held)
    return {key: _unpack(item, tensors) for key, item in held}


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Put an optimizer back where it was, bit for bit.

    torch's own loading gives every state tensor its weight's type, which rounds or widens those that have another.
    """
    optimizer.load_state_dict(state)
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    for place, saved in state["state"].items():
        loaded = optimizer.state[weights[place]]
        for name, value in saved.items():
            if isinstance(value, Tensor):
                loaded[name] = value.to(loaded[name].device, copy=True)


def digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes of tensors, in the order of their names."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        total.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()
