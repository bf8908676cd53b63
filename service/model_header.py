"""What stands at the head of a model's file, read without any tensor."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any


def texts(model: Path) -> dict[str, str]:
    """The texts that were stored with the tensors: `spec`, `preparation` and others."""
    return _header(model)["__metadata__"]


def weight_shapes(model: Path) -> dict[str, tuple[int, ...]]:
    """The shape of each weight and running statistic, by its name in the network."""
    stored = {name.removeprefix("weights/"): about for name, about in _header(model).items() if name[:8] == "weights/"}
    return {name: tuple(about["shape"]) for name, about in stored.items()}


def _header(model: Path) -> dict[str, Any]:
    """The header of a safetensors file: JSON behind eight bytes that say how long it is."""
    with model.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(length))
