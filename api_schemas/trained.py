"""The network of a job in the form in which it trains."""

from __future__ import annotations

from api_schemas.catalog.layers import InputShape, Layer
from api_schemas.jobs import JobSpec


def trained_network(spec: JobSpec, shape: InputShape, outputs: int) -> Layer:
    """The model's network, which computes as `training.precision` says; names and shapes of its weights stay the same.

    Args:
        spec: of the job.
        shape: of a row of its input.
        outputs: width of its scores.
    """
    network = spec.model.network(shape, outputs)
    if spec.training.precision != "bfloat16":
        return network
    return Layer("training.autocast.Autocast", network.args, {"dtype": "bfloat16"})
