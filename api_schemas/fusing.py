"""Which jobs may be trained together, as one program over arrays."""

from __future__ import annotations

import hashlib
import json

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


def fuse_key(spec: JobSpec) -> str | None:
    """What jobs have in common that may be trained together; None for one that trains alone.

    Whatever else they say may differ: learning rates and schedules, optimizers, losses, seeds, lengths.

    Args:
        spec: as `api_schemas.plan.make_plan` settled it.
    """
    training, optimizer = spec.training, spec.optimizer
    fusible = (
        spec.resources.fuse
        and spec.model.name in ("linear", "mlp")
        and training.engine == "auto"
        and training.precision in ("float32", "float64")
        and training.accumulate_batches == 1
        and not training.activation_checkpointing
        and optimizer.needs == "gradient"
    )
    if not fusible:
        return None
    shared = spec.model_dump(mode="json", include=_SHARED)
    return hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()
