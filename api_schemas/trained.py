"""The network of a job in the form in which it trains."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from api_schemas.catalog.layers import InputShape, Layer
from api_schemas.jobs import JobSpec

_SEQUENTIAL = "torch.nn.Sequential"


def trained_network(spec: JobSpec, shape: InputShape, outputs: int) -> Layer:
    """The model's network, which computes as `training.precision` says and keeps for the gradient what the job allows.

    Names and shapes of its weights stay the same.

    Args:
        spec: of the job.
        shape: of a row of its input.
        outputs: width of its scores.
    """
    network = spec.model.network(shape, outputs)
    if spec.training.activation_checkpointing:
        network = _recomputed(network)
    if spec.training.precision not in ("bfloat16", "float16"):
        return network
    return Layer("training.autocast.Autocast", network.args, {**network.kwargs, "dtype": spec.training.precision})


def _recomputed(layer: Layer) -> Layer:
    """The outermost layers that follow each other, in as many parts as the square root of them."""
    if layer.target == _SEQUENTIAL and len(layer.args) > 1:
        return Layer("training.recompute.Recomputed", layer.args, {"parts": math.isqrt(len(layer.args))})
    return replace(layer, args=tuple(map(_within, layer.args)), kwargs={k: _within(v) for k, v in layer.kwargs.items()})


def _within(value: Any) -> Any:
    return _recomputed(value) if isinstance(value, Layer) else value
