"""Which jobs may be trained together, as one program over arrays."""

from __future__ import annotations

import hashlib
import json

from api_schemas.catalog.activations import Softmax
from api_schemas.catalog.models_plain import LinearModel, Mlp
from api_schemas.jobs import JobSpec

_SHARED = {
    "dataset": True,
    "target": True,
    "split": True,
    "preprocessing": True,
    "model": True,
    "training": {"batch_size", "drop_last", "precision"},
    "resources": {"device"},
}
"""What jobs of a group have in common: their data, their network, the rows of a step, and where they may run."""


_NORMALIZATIONS = {"none", "batch_norm", "layer_norm", "rms_norm"}
"""Those that stand in a network as a layer of their own, without chance and without a view of other rows."""


def fuse_key(spec: JobSpec) -> str | None:
    """What jobs have in common that may be trained together; None for one that trains alone.

    Whatever else they say may differ: learning rates and schedules, optimizers, losses, seeds, lengths.

    Args:
        spec: as `api_schemas.plan.make_plan` settled it.
    """
    if not (spec.resources.fuse and _steps_are_plain(spec) and _layers_are_plain(spec)):
        return None
    shared = spec.model_dump(mode="json", include=_SHARED)
    return hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()


def _steps_are_plain(spec: JobSpec) -> bool:
    """Whether a step is one batch, one gradient and one step of an optimizer, each in full precision."""
    training, optimizer = spec.training, spec.optimizer
    return (
        training.engine == "auto"
        and training.precision in ("float32", "float64")
        and training.accumulate_batches == 1
        and not training.activation_checkpointing
        and optimizer.needs == "gradient"
        and not optimizer.innermost.sparse_only
        and not (optimizer.target or "").startswith("pytorch_optimizer.")
    )


def _layers_are_plain(spec: JobSpec) -> bool:
    """Whether the network is layers one after the other, each of which can be computed for several networks at once."""
    model = spec.model
    if not isinstance(model, Mlp | LinearModel) or spec.preprocessing.categorical.name == "embedding":
        return False
    bent = [model.output_activation, *([model.activation] if isinstance(model, Mlp) else [])]
    normalized = isinstance(model, Mlp) and model.normalization.name not in _NORMALIZATIONS
    return not normalized and not any(isinstance(activation, Softmax) for activation in bent)
