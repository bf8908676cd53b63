"""Normalizations of a layer's weight instead of its outputs."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from api_schemas.catalog.call import Call
from api_schemas.catalog.layers import Layer
from api_schemas.catalog.normalization_entry import Epsilon, NormalizationEntry


class WeightNormalizationEntry(NormalizationEntry):
    """Normalises a layer's weight instead of its outputs, whatever the batch; where it stands makes no difference."""

    def wrap(self, layer: Layer) -> Layer:
        call = self.call(Call(layer.target, layer.args, layer.kwargs))
        parameters = {name: shape for name, shape in layer.parameters.items() if name != "weight"}
        parameters |= self.parameters(layer.parameters["weight"])
        return Layer(call.target, call.args, call.kwargs, parameters, layer.places)

    def parameters(self, weight: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        """Shapes of what is learned instead of a weight of this shape, by torch's names."""
        return {"parametrizations.weight.original": weight}


class WeightNorm(WeightNormalizationEntry):
    """Learns length and direction of each output's weights apart."""

    formula = "w = g v / |v|"
    paper = "Salimans and Kingma 2016"
    pitfall = "Outputs keep whatever size the data gives them: it conditions the steps, and normalises nothing."
    target = "torch.nn.utils.parametrizations.weight_norm"
    divides_weight = True

    name: Literal["weight_norm"] = "weight_norm"

    def parameters(self, weight: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        lengths = (weight[0], *(1 for _ in weight[1:]))
        return {"parametrizations.weight.original0": lengths, "parametrizations.weight.original1": weight}


class SpectralNorm(WeightNormalizationEntry):
    """Divides a weight by its largest singular value, so that the layer never lengthens a vector.

    Bounds how fast the network can change (its Lipschitz constant). Comes from generative adversarial networks.
    """

    formula = "w = v / sigma_max(v)"
    paper = "Miyato et al. 2018"
    pitfall = "The singular value is a running estimate; and a deep network that lengthens nothing fits slowly."
    target = "torch.nn.utils.parametrizations.spectral_norm"
    divides_weight = True
    ignores_scale = True

    name: Literal["spectral_norm"] = "spectral_norm"
    n_power_iterations: Annotated[int, Ge(1), Le(100)] = 1
    """How much better the estimate of the singular value becomes in each step."""
    eps: Annotated[float, Gt(0), Le(1)] = 1e-12
    """Least length that the estimate's vectors are divided by."""


class WeightStandardization(WeightNormalizationEntry):
    """Gives each output's weights mean 0 and variance 1 (scaled: 1 / fan-in, so that outputs keep their size)."""

    formula = "w = (v - mean(v)) / sqrt(var(v) + eps), over the weights of one output;  scaled: divided by sqrt(fan_in)"
    paper = "Qiao et al. 2019; Brock, De and Smith 2021 for the scaled form"
    pitfall = "Not scaled, outputs grow by the root of the fan-in at every layer, unless a group norm follows."
    target = "training.normalizations.weight_standardization"
    ignores_scale = True

    name: Literal["weight_standardization"] = "weight_standardization"
    scaled: bool = True
    """Whether the weights are divided by the root of how many inputs an output has."""
    eps: Epsilon = 1e-5
    """Added to the variance."""
