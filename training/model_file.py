"""The file that a run leaves behind: all that a prediction needs."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from api_schemas.jobs import JobSpec
from training.checkpoint import digest, save_tensors
from training.data.preparation import Description, Preparation
from training.data.prepare_text import TextDescription, TextPreparation

_FORMAT = "anneal-model-1"
_WITHIN = "model.safetensors"


class UnreadableModel(Exception):
    """The file is no model that a run left behind, or is damaged."""


@dataclass(frozen=True)
class StoredModel:
    """What `save_model` wrote."""

    spec: JobSpec
    """Every default filled in."""
    preparation: Preparation | TextPreparation
    weights: dict[str, Tensor]
    """By name, as torch's `state_dict` has them: parameters, and buffers such as running statistics."""
    weights_sha256: str


def save_model(
    path: Path, spec: JobSpec, preparation: Preparation | TextPreparation, weights: Mapping[str, Tensor]
) -> str:
    """Write weights, preparation and spec to one safetensors file.

    Tensors are named `weights/...` and `preparation/...`; the metadata holds `spec` and `preparation` as JSON.

    Returns:
        SHA-256 of the weights, as `training.checkpoint.digest` takes it.
    """
    tensors = {f"weights/{name}": tensor for name, tensor in weights.items()}
    tensors |= {f"preparation/{name}": torch.from_numpy(array) for name, array in preparation.arrays().items()}
    taken = digest(weights)
    metadata = {
        "format": _FORMAT,
        "spec": spec.model_dump_json(),
        "preparation": preparation.description.model_dump_json(),
        "weights_sha256": taken,
    }
    save_tensors(path, tensors, metadata)
    return taken


def load_model(path: Path) -> StoredModel:
    """Read back what `save_model` wrote, also from within the zip that it is handed out in.

    Raises:
        UnreadableModel: when it is no such file.
    """
    return _unzipped(path) if zipfile.is_zipfile(path) else _read(path)


def _unzipped(path: Path) -> StoredModel:
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
        if _WITHIN not in archive.namelist():
            raise UnreadableModel(f"{path.name} holds no {_WITHIN}")
        return _read(Path(archive.extract(_WITHIN, folder)))


def _read(path: Path) -> StoredModel:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - the file is no mapping
    except (SafetensorError, OSError) as error:
        raise UnreadableModel(f"{path.name} is no whole safetensors file: {error}") from error
    if metadata.get("format") != _FORMAT:
        raise UnreadableModel(f"{path.name} holds tensors, but is no model of a job")
    fitted = {name: tensor.numpy() for name, tensor in _within("preparation/", tensors).items()}
    spec = JobSpec.model_validate_json(metadata["spec"])
    return StoredModel(
        spec=spec,
        preparation=_preparation(spec, metadata["preparation"], fitted),
        weights=_within("weights/", tensors),
        weights_sha256=metadata["weights_sha256"],
    )


def _preparation(spec: JobSpec, described: str, fitted: dict[str, np.ndarray]) -> Preparation | TextPreparation:
    if spec.model.window is not None:
        return TextPreparation.load(TextDescription.model_validate_json(described))
    return Preparation.load(Description.model_validate_json(described), fitted)


def _within(folder: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(folder): tensor for name, tensor in tensors.items() if name.startswith(folder)}
