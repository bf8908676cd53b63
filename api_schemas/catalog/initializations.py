"""What the weights are before the first step."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le

from api_schemas.catalog.call import Call
from api_schemas.catalog.entry import Entry, OneOf
from api_schemas.catalog.normalizations import NormalizationEntry

INITIALIZATION_ROWS = 256
"""How many training rows, from the first, an initialization may look at."""

Gain = Annotated[float, Gt(0), Le(100)]


class InitializationEntry(Entry):
    """Sets the weights of all linear and convolutional layers, and their biases to 0."""

    kind = "initializations"

    def start(self, model: Any, inputs: Any, slope: float) -> Call | None:
        """The call that sets a network's weights in place; None where they stay as the layers were made.

        Args:
            model: the network, or its name.
            inputs: prepared training rows (rows, inputs), or their name; for those that measure.
            slope: of the network's activation below zero; 1 where it has none.
        """
        return self.call(model)

    def unfit(self, normalization: NormalizationEntry) -> str:
        """Why it cannot set weights that are normalised so; empty where it can."""
        return ""


class DefaultInitialization(InitializationEntry):
    """PyTorch's own: weights and biases uniform, the wider a layer's input the smaller."""

    formula = "w, b ~ U(-1 / sqrt(fan_in), 1 / sqrt(fan_in))"
    paper = "LeCun et al. 1998 for the fan-in rule"
    pitfall = "Its variance is 1 / (3 fan_in), a sixth of He's: deep plain ReLU networks start with faint outputs."
    name: Literal["default"] = "default"

    def start(self, model: Any, inputs: Any, slope: float) -> Call | None:
        return None


class HeEntry(InitializationEntry):
    """Keeps the size of a signal through layers of ReLU and its relatives."""

    def start(self, model: Any, inputs: Any, slope: float) -> Call | None:
        return self.call(model, slope=slope)


class HeNormal(HeEntry):
    """Normal weights that keep the signal's size through ReLU layers: the choice for ReLU and its relatives.

    `a` is the activation's slope below zero: 0 for ReLU, negative_slope for leaky ReLU, 1 where there is no bend.
    """

    formula = "w ~ N(0, 2 / ((1 + a^2) fan_in)),  b = 0"
    paper = "He et al. 2015"
    pitfall = "With tanh or sigmoid the layers start in their flat ends; take Xavier's there."
    target = "training.initializations.he_normal"
    name: Literal["he_normal"] = "he_normal"


class HeUniform(HeEntry):
    """He's rule with a uniform distribution of the same variance."""

    formula = "w ~ U(-l, l),  l = sqrt(6 / ((1 + a^2) fan_in)),  b = 0"
    paper = "He et al. 2015"
    pitfall = "With tanh or sigmoid the layers start in their flat ends; take Xavier's there."
    target = "training.initializations.he_uniform"
    name: Literal["he_uniform"] = "he_uniform"


class LecunNormal(InitializationEntry):
    """Normal weights that keep the signal's size where the activation does not bend; what SELU asks for."""

    formula = "w ~ N(0, 1 / fan_in),  b = 0"
    paper = "LeCun et al. 1998; Klambauer et al. 2017 for SELU"
    pitfall = "With ReLU half the variance is lost at each layer: 20 layers leave a millionth of it. Take He's there."
    target = "training.initializations.lecun_normal"
    name: Literal["lecun_normal"] = "lecun_normal"


class XavierNormal(InitializationEntry):
    """Normal weights between what keeps the signal's size forwards and the gradient's backwards; for tanh."""

    formula = "w ~ N(0, gain^2 2 / (fan_in + fan_out)),  b = 0"
    paper = "Glorot and Bengio 2010"
    pitfall = "With ReLU half the variance is lost at each layer: 20 layers leave a millionth of it. Take He's there."
    target = "training.initializations.xavier_normal"
    name: Literal["xavier_normal"] = "xavier_normal"
    gain: Gain = 1.0
    """Factor on the weights; 1 is the paper's, 5/3 is often taken with tanh."""


class XavierUniform(InitializationEntry):
    """Xavier's rule with a uniform distribution of the same variance."""

    formula = "w ~ U(-l, l),  l = gain sqrt(6 / (fan_in + fan_out)),  b = 0"
    paper = "Glorot and Bengio 2010"
    pitfall = "With ReLU half the variance is lost at each layer: 20 layers leave a millionth of it. Take He's there."
    target = "training.initializations.xavier_uniform"
    name: Literal["xavier_uniform"] = "xavier_uniform"
    gain: Gain = 1.0
    """Factor on the weights; 1 is the paper's, 5/3 is often taken with tanh."""


class Orthogonal(InitializationEntry):
    """Orthogonal rows or columns, so that a layer turns a vector and neither lengthens nor shortens it."""

    formula = "w = gain Q,  Q from the QR decomposition of a normal matrix,  b = 0"
    paper = "Saxe, McClelland and Ganguli 2014"
    pitfall = "The lengths are kept through linear layers only; ReLU wants gain sqrt(2). Wide layers are slow to set."
    target = "training.initializations.orthogonal"
    name: Literal["orthogonal"] = "orthogonal"
    gain: Gain = 1.0
    """Factor on the weights; 1.414 suits ReLU."""


class Normal(InitializationEntry):
    """Normal weights of one standard deviation, whatever the layer's width: what was done before Xavier's rule."""

    formula = "w ~ N(0, std^2),  b = 0"
    paper = "Krizhevsky, Sutskever and Hinton 2012"
    pitfall = "Too small, and a deep network's signal and gradient vanish; too large, and they explode."
    target = "training.initializations.normal"
    name: Literal["normal"] = "normal"
    std: Annotated[float, Gt(0), Le(100)] = 0.01
    """Standard deviation of every weight."""


class Zeros(InitializationEntry):
    """All weights zero, so that one can see why not: only a linear model learns from it."""

    formula = "w = 0,  b = 0"
    pitfall = "Behind a hidden layer of zeros every gradient but the last bias's is zero, and stays so."
    target = "training.initializations.zeros"
    name: Literal["zeros"] = "zeros"

    def unfit(self, normalization: NormalizationEntry) -> str:
        return _undirected(normalization)


class Constant(InitializationEntry):
    """The same number everywhere, so that one can see why not: all units of a layer stay copies of one."""

    formula = "w = value,  b = 0"
    pitfall = "Equal units have equal gradients: a layer of any width learns as one unit."
    target = "training.initializations.constant"
    name: Literal["constant"] = "constant"
    value: Annotated[float, Ge(-100), Le(100)] = 0.1
    """Every weight."""

    def unfit(self, normalization: NormalizationEntry) -> str:
        return _undirected(normalization) if self.value == 0 else ""


class Lsuv(InitializationEntry):
    """Orthogonal weights, then each layer in turn scaled until its outputs on real rows have variance 1.

    Layer-sequential unit variance: what the rules for one activation promise is measured instead, for any.
    """

    formula = "w = Q,  then layer by layer w = w / std(outputs), until |var(outputs) - 1| < tolerance;  b = 0"
    paper = "Mishkin and Matas 2016"
    pitfall = "It is as good as the rows it sees, the first 256: sorted or badly scaled data mislead it."
    target = "training.initializations.lsuv"
    name: Literal["lsuv"] = "lsuv"
    tolerance: Annotated[float, Gt(0), Le(1)] = 0.1
    """How far from 1 the variance may stay."""
    max_tries: Annotated[int, Ge(1), Le(100)] = 10
    """How often a layer is scaled at most."""

    def start(self, model: Any, inputs: Any, slope: float) -> Call | None:
        return self.call(model, inputs)

    def unfit(self, normalization: NormalizationEntry) -> str:
        if not normalization.ignores_scale:
            return ""
        return f"lsuv scales weights, and {normalization.name} undoes any scale; use another initialization"


def _undirected(normalization: NormalizationEntry) -> str:
    if not normalization.divides_weight:
        return ""
    return f"{normalization.name} divides a weight by its size, and that of zeros is 0; use another initialization"


Initialization = Annotated[InitializationEntry, OneOf(InitializationEntry)]
