"""The file that a run leaves behind: all that a prediction needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from api_schemas.jobs import JobSpec
from training.checkpoint import digest, save_tensors
from training.data.preparation import Preparation


def save_model(path: Path, spec: JobSpec, preparation: Preparation, weights: Mapping[str, Tensor]) -> str:
    """Write weights, preparation and spec to one safetensors file.

    Tensors are named `weights/...` and `preparation/...`; the metadata holds `spec` and `preparation` as JSON.

    Returns:
        SHA-256 of the weights, as `training.checkpoint.digest` takes it.
    """
    tensors = {f"weights/{name}": tensor for name, tensor in weights.items()}
    tensors |= {f"preparation/{name}": torch.from_numpy(array) for name, array in preparation.arrays().items()}
    taken = digest(weights)
    metadata = {
        "format": "anneal-model-1",
        "spec": spec.model_dump_json(),
        "preparation": preparation.description.model_dump_json(),
        "weights_sha256": taken,
    }
    save_tensors(path, tensors, metadata)
    return taken
