"""The activations."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

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


class Elu(ActivationEntry):
    """Bends smoothly to -alpha below zero, so that outputs have a mean near zero and no unit dies."""

    formula = "y = x above 0, alpha (exp(x) - 1) below"
    paper = "Clevert, Unterthiner and Hochreiter 2016"
    target = "torch.nn.ELU"
    name: Literal["elu"] = "elu"
    alpha: Annotated[float, Gt(0), Le(10)] = 1.0
    """How far below zero it goes."""


class Selu(ActivationEntry):
    """An ELU scaled so that deep plain networks keep mean 0 and variance 1 from layer to layer."""

    formula = "y = 1.0507 (x above 0, 1.6733 (exp(x) - 1) below)"
    paper = "Klambauer et al. 2017"
    target = "torch.nn.SELU"
    name: Literal["selu"] = "selu"


class Mish(ActivationEntry):
    """A smooth ReLU that dips below zero, a little more than SiLU."""

    formula = "y = x tanh(log(1 + exp(x)))"
    paper = "Misra 2020"
    target = "torch.nn.Mish"
    name: Literal["mish"] = "mish"


class Softplus(ActivationEntry):
    """A ReLU with a round corner; always positive."""

    formula = "y = log(1 + exp(beta x)) / beta"
    paper = "Dugas et al. 2000"
    target = "torch.nn.Softplus"
    name: Literal["softplus"] = "softplus"
    beta: Annotated[float, Gt(0), Le(100)] = 1.0
    """How sharp the corner is."""


class Softsign(ActivationEntry):
    """Squeezes into -1 to 1 as tanh does, but goes flat more slowly."""

    formula = "y = x / (1 + |x|)"
    paper = "Bergstra et al. 2009"
    target = "torch.nn.Softsign"
    name: Literal["softsign"] = "softsign"


class Hardswish(ActivationEntry):
    """SiLU drawn with straight pieces; cheap on small devices."""

    formula = "y = x min(max(x + 3, 0), 6) / 6"
    paper = "Howard et al. 2019"
    target = "torch.nn.Hardswish"
    name: Literal["hardswish"] = "hardswish"


class Relu6(ActivationEntry):
    """A ReLU that stops at 6."""

    formula = "y = min(max(0, x), 6)"
    paper = "Krizhevsky 2010"
    target = "torch.nn.ReLU6"
    name: Literal["relu6"] = "relu6"


class Identity(ActivationEntry):
    """No bend at all: layers together are then no more than one linear layer. See for yourself."""

    formula = "y = x"
    target = "torch.nn.Identity"
    name: Literal["identity"] = "identity"


Activation = Annotated[ActivationEntry, OneOf(ActivationEntry)]
