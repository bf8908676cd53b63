"""The initializations: each sets a network's weights in place, and their biases to 0."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

Weighted = nn.Linear | nn.Conv1d | nn.Conv2d
WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d)


def he_normal(model: nn.Module, slope: float) -> None:
    """Normal weights of variance 2 / ((1 + slope^2) fan_in) (He et al. 2015); `slope` is the activation's below 0."""
    fill_weights(model, lambda weight: nn.init.kaiming_normal_(weight, a=slope))


def he_uniform(model: nn.Module, slope: float) -> None:
    """Uniform weights of variance 2 / ((1 + slope^2) fan_in) (He et al. 2015); `slope` is the activation's below 0."""
    fill_weights(model, lambda weight: nn.init.kaiming_uniform_(weight, a=slope))


def lecun_normal(model: nn.Module) -> None:
    """Normal weights of variance 1 / fan_in (LeCun et al. 1998)."""
    fill_weights(model, lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="linear"))


def xavier_normal(model: nn.Module, gain: float) -> None:
    """Normal weights of variance gain^2 2 / (fan_in + fan_out) (Glorot and Bengio 2010)."""
    fill_weights(model, lambda weight: nn.init.xavier_normal_(weight, gain))


def xavier_uniform(model: nn.Module, gain: float) -> None:
    """Uniform weights of variance gain^2 2 / (fan_in + fan_out) (Glorot and Bengio 2010)."""
    fill_weights(model, lambda weight: nn.init.xavier_uniform_(weight, gain))


def orthogonal(model: nn.Module, gain: float) -> None:
    """`gain` times a matrix (outputs, fan_in) with orthonormal rows or columns (Saxe et al. 2014)."""
    fill_weights(model, lambda weight: nn.init.orthogonal_(weight, gain))


def normal(model: nn.Module, std: float) -> None:
    """Normal weights of one standard deviation."""
    fill_weights(model, lambda weight: nn.init.normal_(weight, std=std))


def zeros(model: nn.Module) -> None:
    """All weights 0."""
    fill_weights(model, nn.init.zeros_)


def constant(model: nn.Module, value: float) -> None:
    """All weights the same number."""
    fill_weights(model, lambda weight: nn.init.constant_(weight, value))


@torch.no_grad()
def lsuv(model: nn.Module, inputs: Tensor, tolerance: float, max_tries: int) -> None:
    """Layer-sequential unit variance (Mishkin and Matas 2016, algorithm 1).

    Orthogonal weights; then, layer by layer, the weight is divided by the standard deviation of the layer's outputs on
    `inputs` (rows, inputs), until their variance is within `tolerance` of 1 or for `max_tries` times.
    """
    orthogonal(model, gain=1.0)
    for layer in model.modules():
        if isinstance(layer, WEIGHTED):
            _give_unit_variance(layer, model, inputs, tolerance, max_tries)


def _give_unit_variance(layer: Weighted, model: nn.Module, rows: Tensor, tolerance: float, max_tries: int) -> None:
    for _ in range(max_tries):
        variance = _outputs(layer, model, rows).var().item()
        if abs(variance - 1) < tolerance or not 0 < variance < math.inf:
            return
        set_weight(layer, layer.weight / math.sqrt(variance))


def _outputs(layer: Weighted, model: nn.Module, rows: Tensor) -> Tensor:
    """What a layer gives when its model trains on these rows, without dropout."""
    seen: list[Tensor] = []

    def see(_layer: nn.Module, _inputs: tuple[Tensor, ...], outputs: Tensor) -> None:
        seen.append(outputs)

    hook = layer.register_forward_hook(see)
    trial = copy.deepcopy(model).eval()  # a copy, so that no running statistics see these rows
    hook.remove()
    for part in trial.modules():
        if getattr(part, "running_mean", None) is not None:
            part.train()
    trial(rows)
    return seen[0]


@torch.no_grad()
def fill_weights(model: nn.Module, fill: Callable[[Tensor], Tensor]) -> None:
    """Set every linear, convolutional and recurrent weight to what `fill` makes of its shape; every bias to 0."""
    for layer in model.modules():
        if isinstance(layer, WEIGHTED):
            set_weight(layer, fill(torch.empty_like(layer.weight)))
            if layer.bias is not None:
                layer.bias.zero_()
        elif isinstance(layer, nn.RNNBase):
            _fill_gates(layer, fill)


def _fill_gates(layer: nn.RNNBase, fill: Callable[[Tensor], Tensor]) -> None:
    """Each gate has a matrix of its own; torch keeps them in one, below each other."""
    for name, weight in layer.named_parameters():
        if name.startswith("bias"):
            weight.zero_()
            continue
        for gate in weight.split(layer.hidden_size):
            gate.copy_(fill(torch.empty_like(gate)))


def set_weight(layer: Weighted, weight: Tensor) -> None:
    """Give a layer this weight, which becomes its own; a normalised one learns what gives this, or comes nearest."""
    if not parametrize.is_parametrized(layer, "weight"):
        layer.weight.copy_(weight)
        return
    layer.weight = weight
    for _ in range(15):  # spectral norm follows its weight by a power iteration a use, and starts with this many
        layer.weight  # noqa: B018
