"""The weights of a run, read from its model file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from training.loop import Run


def layers_of(run: Run, folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weights (outputs, inputs) and biases (outputs,) of each linear layer of a run as it stands."""
    run.save_model(folder / "model.safetensors")
    tensors = load_file(folder / "model.safetensors")
    layers = sorted(name.removesuffix(".weight") for name in tensors if name.endswith(".weight"))
    return [(tensors[f"{layer}.weight"], tensors[f"{layer}.bias"]) for layer in layers]
