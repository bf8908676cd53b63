"""Weights taken over from a network that was trained before."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from safetensors import safe_open
from torch import nn


def take_weights(network: nn.Module, path: str, patterns: Sequence[str]) -> None:
    """Copy weights and running statistics of a model or a checkpoint into a network, in place.

    Args:
        network: keeps what the file does not have.
        path: safetensors, each weight named `weights/` and its name in the network.
        patterns: which are copied, by name; `*` for any characters.

    Raises:
        ValueError: when a weight of the same name has another shape.
    """
    own = network.state_dict()
    with safe_open(path, framework="pt") as file:
        for stored in file.keys():  # noqa: SIM118 - the file is no mapping
            name = stored.removeprefix("weights/")
            if name == stored or name not in own or not any(fnmatchcase(name, pattern) for pattern in patterns):
                continue
            weight = file.get_tensor(stored)
            if weight.shape != own[name].shape:
                raise ValueError(f"{name} is {tuple(weight.shape)} in {path}, and {tuple(own[name].shape)} here")
            own[name].copy_(weight)
