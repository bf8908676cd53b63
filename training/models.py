"""The networks."""

from __future__ import annotations

from typing import Literal

from torch import nn

from api_schemas.catalog.activations import ActivationEntry
from api_schemas.catalog.normalizations import NormalizationEntry
from training.build import build


def build_linear(inputs: int, outputs: int) -> nn.Sequential:
    """One linear layer, from (rows, inputs) to (rows, outputs)."""
    return nn.Sequential(nn.Linear(inputs, outputs))


def build_mlp(
    inputs: int,
    outputs: int,
    *,
    hidden: list[int],
    activation: ActivationEntry,
    normalization: NormalizationEntry,
    normalization_place: Literal["before_activation", "after_activation"],
    dropout: float,
) -> nn.Sequential:
    """Hidden layers with all that belongs to each, and a linear one at the end: (rows, inputs) to (rows, outputs)."""
    layers: list[nn.Module] = []
    widths = [inputs, *hidden]
    for width_in, width in zip(widths, hidden, strict=False):
        layers.append(nn.Linear(width_in, width))
        bent = [build(activation)]
        normalized = [build(normalization, width)] if normalization.target else []
        layers += normalized + bent if normalization_place == "before_activation" else bent + normalized
        layers += [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(*layers, nn.Linear(widths[-1], outputs))
