"""The activations."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Le
from pydantic import model_validator

from api_schemas.catalog.entry import Entry, OneOf
from api_schemas.catalog.layers import Layer


class ActivationEntry(Entry):
    """What bends a layer's output, so that layers together are more than one layer."""

    kind = "activations"
    parameters: ClassVar[dict[str, tuple[int, ...]]] = {}
    """Shapes of what it learns, by torch's names."""

    @property
    def slope(self) -> float:
        """Its slope below zero as He's initialization counts it; 0 for all that are not straight there."""
        return 0.0

    def layer(self, axis: int = 1) -> Layer:
        """What stands behind a layer whose features lie along this axis: the second of an image, the last of tokens."""
        call = self.call()
        return Layer(call.target, call.args, call.kwargs, self.parameters)


class Relu(ActivationEntry):
    """Zero below zero. Cheap and good; a unit that is below zero for every row is dead and learns no more."""

    formula = "y = max(0, x)"
    paper = "Nair and Hinton 2010"
    pitfall = "Units that are below zero for every row get no gradient: too large a step can kill them for good."
    target = "torch.nn.ReLU"
    name: Literal["relu"] = "relu"


class LeakyRelu(ActivationEntry):
    """A small slope below zero instead of none, so that no unit dies."""

    formula = "y = max(0, x) + negative_slope min(0, x)"
    paper = "Maas, Hannun and Ng 2013"
    pitfall = "The slope is one more thing to choose, and it seldom matters."
    target = "torch.nn.LeakyReLU"
    name: Literal["leaky_relu"] = "leaky_relu"
    negative_slope: Annotated[float, Ge(0), Le(1)] = 0.01
    """The slope below zero."""

    @property
    def slope(self) -> float:
        return self.negative_slope


class Prelu(ActivationEntry):
    """A leaky ReLU that learns its slope below zero, one for the layer."""

    formula = "y = max(0, x) + a min(0, x),  a learned"
    paper = "He et al. 2015"
    pitfall = "Weight decay pulls the slope to zero, back to a plain ReLU."
    target = "torch.nn.PReLU"
    parameters = {"weight": (1,)}
    name: Literal["prelu"] = "prelu"
    init: Annotated[float, Ge(0), Le(1)] = 0.25
    """Where the slope starts."""

    @property
    def slope(self) -> float:
        return self.init


class Gelu(ActivationEntry):
    """A smooth ReLU, usual in transformers."""

    formula = "y = x Phi(x)"
    paper = "Hendrycks and Gimpel 2016"
    pitfall = "Slower than ReLU, and in small networks no better."
    target = "torch.nn.GELU"
    name: Literal["gelu"] = "gelu"
    approximate: Literal["none", "tanh"] = "none"
    """`tanh` for the faster formula y = x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, as in GPT-2."""


class Silu(ActivationEntry):
    """A smooth ReLU that dips below zero before it rises."""

    formula = "y = x sigmoid(x)"
    paper = "Elfwing, Uchibe and Doya 2018"
    pitfall = "Slower than ReLU, and in small networks no better."
    target = "torch.nn.SiLU"
    name: Literal["silu"] = "silu"


class Tanh(ActivationEntry):
    """Squeezes into -1 to 1. Far from zero it is flat, and the gradient vanishes."""

    formula = "y = tanh(x)"
    pitfall = "Large inputs sit where it is flat: gradients vanish in deep stacks and after large initial weights."
    target = "torch.nn.Tanh"
    name: Literal["tanh"] = "tanh"


class Sigmoid(ActivationEntry):
    """Squeezes into 0 to 1. Its slope is at most a quarter, so deep stacks of it barely learn."""

    formula = "y = 1 / (1 + exp(-x))"
    pitfall = "Its outputs are never negative and its slope never above 1/4, so gradients shrink from layer to layer."
    target = "torch.nn.Sigmoid"
    name: Literal["sigmoid"] = "sigmoid"


class Elu(ActivationEntry):
    """Bends smoothly to -alpha below zero, so that outputs have a mean near zero and no unit dies."""

    formula = "y = x above 0, alpha (exp(x) - 1) below"
    paper = "Clevert, Unterthiner and Hochreiter 2016"
    pitfall = "Far below zero it is flat, and a unit there barely learns."
    target = "torch.nn.ELU"
    name: Literal["elu"] = "elu"
    alpha: Annotated[float, Gt(0), Le(10)] = 1.0
    """How far below zero it goes."""


class Selu(ActivationEntry):
    """An ELU scaled so that deep plain networks keep mean 0 and variance 1 from layer to layer."""

    formula = "y = 1.0507 (x above 0, 1.6733 (exp(x) - 1) below)"
    paper = "Klambauer et al. 2017"
    pitfall = "Its promise holds for weights of variance 1 / fan_in, standardised inputs and no normalization."
    target = "torch.nn.SELU"
    name: Literal["selu"] = "selu"


class Celu(ActivationEntry):
    """An ELU whose slope at zero is 1 whatever alpha is."""

    formula = "y = x above 0, alpha (exp(x / alpha) - 1) below"
    paper = "Barron 2017"
    pitfall = "Far below zero it is flat, and a unit there barely learns."
    target = "torch.nn.CELU"
    name: Literal["celu"] = "celu"
    alpha: Annotated[float, Gt(0), Le(10)] = 1.0
    """How far below zero it goes, and how slowly."""


class Mish(ActivationEntry):
    """A smooth ReLU that dips below zero, a little more than SiLU."""

    formula = "y = x tanh(log(1 + exp(x)))"
    paper = "Misra 2020"
    pitfall = "Slower than ReLU, and in small networks no better."
    target = "torch.nn.Mish"
    name: Literal["mish"] = "mish"


class Softplus(ActivationEntry):
    """A ReLU with a round corner; always positive."""

    formula = "y = log(1 + exp(beta x)) / beta"
    paper = "Dugas et al. 2000"
    pitfall = "Its outputs are always positive: the next layer sees inputs far from centred."
    target = "torch.nn.Softplus"
    name: Literal["softplus"] = "softplus"
    beta: Annotated[float, Gt(0), Le(100)] = 1.0
    """How sharp the corner is."""


class Softsign(ActivationEntry):
    """Squeezes into -1 to 1 as tanh does, but goes flat more slowly."""

    formula = "y = x / (1 + |x|)"
    paper = "Bergstra et al. 2009"
    pitfall = "Far from zero it is almost flat, as tanh is."
    target = "torch.nn.Softsign"
    name: Literal["softsign"] = "softsign"


class Hardswish(ActivationEntry):
    """SiLU drawn with straight pieces; cheap on small devices."""

    formula = "y = x min(max(x + 3, 0), 6) / 6"
    paper = "Howard et al. 2019"
    pitfall = "Made for speed on phones; elsewhere SiLU costs as little."
    target = "torch.nn.Hardswish"
    name: Literal["hardswish"] = "hardswish"


class Hardtanh(ActivationEntry):
    """A tanh drawn with straight pieces: what it is given, between two bounds."""

    formula = "y = min(max(x, min_val), max_val)"
    paper = "Collobert 2004"
    pitfall = "Beyond the bounds it is flat: a unit that is there for every row learns no more."
    target = "torch.nn.Hardtanh"
    name: Literal["hardtanh"] = "hardtanh"
    min_val: Annotated[float, Ge(-1000), Le(1000)] = -1.0
    """The lower bound."""
    max_val: Annotated[float, Ge(-1000), Le(1000)] = 1.0
    """The upper bound."""

    @model_validator(mode="after")
    def _bounds_are_apart(self) -> Hardtanh:
        if self.min_val >= self.max_val:
            raise ValueError("min_val must be below max_val")
        return self


class Relu6(ActivationEntry):
    """A ReLU that stops at 6."""

    formula = "y = min(max(0, x), 6)"
    paper = "Krizhevsky 2010"
    pitfall = "Above 6 it is flat as well, so a unit may be stuck at either end."
    target = "torch.nn.ReLU6"
    name: Literal["relu6"] = "relu6"


class Identity(ActivationEntry):
    """No bend at all: layers together are then no more than one linear layer. See for yourself."""

    formula = "y = x"
    pitfall = "Depth without a bend adds weights and nothing that one linear layer cannot do."
    target = "torch.nn.Identity"
    name: Literal["identity"] = "identity"

    @property
    def slope(self) -> float:
        return 1.0


class Softmax(ActivationEntry):
    """Shares that are positive and sum to 1 over a layer's units, at each place of an image.

    Cross-entropy takes the softmax of the network's outputs by itself, so no output needs one.
    """

    formula = "y_k = exp(x_k) / sum_j exp(x_j)"
    paper = "Bridle 1990"
    pitfall = "Before a loss that takes a softmax itself the scores lie within 0 and 1, so no class ever gets sure."
    target = "torch.nn.Softmax"
    name: Literal["softmax"] = "softmax"

    def layer(self, axis: int = 1) -> Layer:
        return Layer("torch.nn.Softmax", (), {"dim": axis})


Activation = Annotated[ActivationEntry, OneOf(ActivationEntry)]
