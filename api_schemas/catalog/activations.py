"""The activations."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Le

from api_schemas.catalog.entry import Entry, OneOf


class ActivationEntry(Entry):
    """What bends a layer's output, so that layers together are more than one layer."""

    kind = "activations"


class Relu(ActivationEntry):
    """Zero below zero. Cheap and good; a unit that is below zero for every row is dead and learns no more."""

    formula = "y = max(0, x)"
    paper = "Nair and Hinton 2010"
    target = "torch.nn.ReLU"
    name: Literal["relu"] = "relu"


class LeakyRelu(ActivationEntry):
    """A small slope below zero instead of none, so that no unit dies."""

    formula = "y = max(0, x) + negative_slope min(0, x)"
    paper = "Maas, Hannun and Ng 2013"
    target = "torch.nn.LeakyReLU"
    name: Literal["leaky_relu"] = "leaky_relu"
    negative_slope: Annotated[float, Ge(0), Le(1)] = 0.01
    """The slope below zero."""


class Gelu(ActivationEntry):
    """A smooth ReLU, usual in transformers."""

    formula = "y = x Phi(x)"
    paper = "Hendrycks and Gimpel 2016"
    target = "torch.nn.GELU"
    name: Literal["gelu"] = "gelu"


class Silu(ActivationEntry):
    """A smooth ReLU that dips below zero before it rises."""

    formula = "y = x sigmoid(x)"
    paper = "Elfwing, Uchibe and Doya 2018"
    target = "torch.nn.SiLU"
    name: Literal["silu"] = "silu"


class Tanh(ActivationEntry):
    """Squeezes into -1 to 1. Far from zero it is flat, and the gradient vanishes."""

    formula = "y = tanh(x)"
    target = "torch.nn.Tanh"
    name: Literal["tanh"] = "tanh"


class Sigmoid(ActivationEntry):
    """Squeezes into 0 to 1. Its slope is at most a quarter, so deep stacks of it barely learn."""

    formula = "y = 1 / (1 + exp(-x))"
    target = "torch.nn.Sigmoid"
    name: Literal["sigmoid"] = "sigmoid"


Activation = Annotated[ActivationEntry, OneOf(ActivationEntry)]
