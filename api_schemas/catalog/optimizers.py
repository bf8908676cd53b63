"""The optimizers."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic import model_validator

from api_schemas.base import Pair
from api_schemas.catalog.entry import Entry, OneOf

LearningRate = Annotated[float, Gt(0), Le(1000)]
Fraction = Annotated[float, Ge(0), Lt(1)]
NotNegative = Annotated[float, Ge(0), Le(1e6)]
Epsilon = Annotated[float, Gt(0), Le(1)]


class OptimizerEntry(Entry):
    """How a gradient becomes a step."""

    kind = "optimizers"
    form: ClassVar[Literal["fused", "foreach", "plain"]] = "plain"
    """The quickest form that its target has: one kernel for all weights (on the CPU too), one operation for all
    weights, or neither, in which case its target is told nothing."""
    needs: ClassVar[Literal["gradient", "graph", "closure", "gradient_and_closure"]] = "gradient"
    """What a step needs: the gradient; the gradient with the graph that it was computed by, to differentiate it again
    (`create_graph`); a closure that computes loss and gradient anew, as often as the step asks for it; or the gradient
    first and then the closure, for the gradient elsewhere."""
    one_group: ClassVar[bool] = False
    """Whether it treats all weights alike, so that no layer can have a learning rate or a decay of its own."""
    switches_mode: ClassVar[bool] = False
    """Whether weights are evaluated elsewhere than they are trained, so that its `eval()` and `train()` must be called
    around an evaluation."""
    matrices_only: ClassVar[bool] = False
    """Whether it takes matrices alone; its knob `companion` names the optimizer of all other weights."""
    matrices_flag: ClassVar[str] = ""
    """The key of a parameter group that tells its target whether the group holds matrices, where it asks."""
    takes_model: ClassVar[bool] = False
    """Whether its target takes the model instead of parameter groups."""
    momentum_knob: ClassVar[Literal["momentum", "betas", ""]] = ""
    """Which knob a momentum schedule acts on; of `betas` the first."""

    @property
    def rate(self) -> float:
        """The learning rate that a schedule multiplies."""
        raise NotImplementedError


class PlainOptimizerEntry(OptimizerEntry):
    """An optimizer that stands alone; others wrap one of these."""

    lr: LearningRate
    """Learning rate, the factor that a schedule multiplies. Too high diverges, too low never arrives."""

    @property
    def rate(self) -> float:
        return self.lr


class Sgd(PlainOptimizerEntry):
    """Stochastic gradient descent, with momentum if asked for.

    The plain rule: one learning rate for all directions. In a ravine, where one direction is much steeper than
    another, a rate that suits the steep one crawls along the flat one; momentum, Adam or normalised features help.
    """

    formula = "v = momentum v + (1 - dampening) g;  w = w - lr v   (nesterov: w = w - lr (g + momentum v))"
    paper = "Robbins and Monro 1951; Polyak 1964; Sutskever et al. 2013"
    target = "torch.optim.SGD"
    momentum_knob = "momentum"
    form = "fused"

    name: Literal["sgd"] = "sgd"
    lr: LearningRate = 0.01
    """Learning rate."""
    momentum: Fraction = 0.0
    """Share of the last step that is kept. 0.9 is usual; the effective rate is then lr / (1 - momentum)."""
    dampening: Fraction = 0.0
    """Weakens the gradient that enters the momentum. Nesterov wants 0."""
    weight_decay: NotNegative = 0.0
    """L2 penalty, added to the gradient."""
    nesterov: bool = False
    """Look ahead: take the gradient's correction where momentum will have carried the weights."""

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Sgd:
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise ValueError("nesterov needs momentum above 0 and dampening 0")
        return self


class Adagrad(PlainOptimizerEntry):
    """Divides each weight's step by the root of the sum of its past squared gradients, as PyTorch does.

    Weights with large gradients get small steps. The sum only grows, so the step shrinks as 1/sqrt(t) by itself and
    a long run may stop moving. `adagrad_rms` is the form with the mean, as lectures write it.
    """

    formula = "s = s + g^2;  w = w - lr / (1 + t lr_decay) g / (sqrt(s) + eps)"
    paper = "Duchi, Hazan and Singer 2011"
    target = "torch.optim.Adagrad"
    form = "fused"

    name: Literal["adagrad"] = "adagrad"
    lr: LearningRate = 0.01
    """Learning rate of the first step; the sum in the divisor lets it decay by itself."""
    lr_decay: NotNegative = 0.0
    """Decay of the rate as 1 / (1 + t lr_decay), on top of the sum's own."""
    weight_decay: NotNegative = 0.0
    """L2 penalty, added to the gradient."""
    initial_accumulator_value: NotNegative = 0.0
    """What the sum of squares starts from; more than 0 softens the first steps."""
    eps: Epsilon = 1e-10
    """Added to the root."""


class AdagradRms(PlainOptimizerEntry):
    """Adagrad with the root of the mean of all past squared gradients, as lectures write it.

    Shows the problem of Adagrad: the mean remembers everything alike, so after a long flat stretch it is tiny and the
    first real gradient makes a step of many times lr. Decay of the learning rate, or RMSProp, cures it.
    Equals `adagrad` when its learning rate decays as lr / sqrt(t + 1).
    """

    formula = "sigma_t = sqrt(1/(t+1) sum_{i<=t} g_i^2);  w = w - lr g_t / (sigma_t + eps)"
    paper = "Duchi, Hazan and Singer 2011, in the root-mean-square form of textbooks"
    target = "training.optimizers.AdagradRms"
    form = "foreach"

    name: Literal["adagrad_rms"] = "adagrad_rms"
    lr: LearningRate = 0.01
    """Learning rate: the size of a step whose gradient is as large as gradients used to be."""
    weight_decay: NotNegative = 0.0
    """L2 penalty, added to the gradient."""
    eps: Epsilon = 1e-10
    """Added to the root."""


class RmsProp(PlainOptimizerEntry):
    """Divides by the root of a moving average of squared gradients: Adagrad that forgets.

    Follows a curvature that changes along the way. Its largest single step is lr / sqrt(1 - alpha), 10 lr at 0.99.
    """

    formula = "s = alpha s + (1 - alpha) g^2;  w = w - lr g / (sqrt(s) + eps)"
    paper = "Tieleman and Hinton, Neural Networks for Machine Learning, lecture 6.5, 2012"
    target = "torch.optim.RMSprop"
    momentum_knob = "momentum"
    form = "foreach"

    name: Literal["rmsprop"] = "rmsprop"
    lr: LearningRate = 0.001
    """Learning rate."""
    alpha: Fraction = 0.99
    """How much of the old average stays at each step."""
    eps: Epsilon = 1e-8
    """Added to the root."""
    weight_decay: NotNegative = 0.0
    """L2 penalty, added to the gradient."""
    momentum: Fraction = 0.0
    """Share of the last step that is kept."""
    centered: bool = False
    """Subtract the squared mean, so that the variance divides instead of the mean square."""


class AdamEntry(PlainOptimizerEntry):
    """The knobs that all forms of Adam share."""

    momentum_knob = "betas"

    lr: LearningRate = 0.001
    """Learning rate; also about the size of a weight's step, whatever its gradient."""
    betas: Pair = (0.9, 0.999)
    """How much of the old average stays at each step: of the gradient, and of its square. Each from 0 to below 1."""
    eps: Epsilon = 1e-8
    """Added to the root."""
    weight_decay: NotNegative = 0.0
    """How strongly weights are pulled to zero."""

    @model_validator(mode="after")
    def _betas_are_fractions(self) -> AdamEntry:
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError("each of betas must be at least 0 and below 1")
        return self


class Adam(AdamEntry):
    """RMSProp with momentum, both corrected for having started at zero.

    The usual first choice. Its weight decay is an L2 penalty, which the divisor distorts: `adamw` decays truly.
    """

    formula = "m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2;  w = w - lr (m/(1-b1^t)) / (sqrt(v/(1-b2^t)) + eps)"
    paper = "Kingma and Ba 2015"
    target = "torch.optim.Adam"
    form = "fused"

    name: Literal["adam"] = "adam"
    amsgrad: bool = False
    """Divide by the largest average so far, which mends Adam's counterexample of Reddi et al. 2018."""


class AdamW(AdamEntry):
    """Adam whose weight decay acts on the weights themselves, not through the gradient."""

    formula = "w = w - lr weight_decay w, then Adam's step"
    paper = "Loshchilov and Hutter 2019"
    target = "torch.optim.AdamW"
    form = "fused"

    name: Literal["adamw"] = "adamw"
    weight_decay: NotNegative = 0.01
    """Share of lr by which each weight shrinks at a step."""
    amsgrad: bool = False
    """Divide by the largest average so far."""


class NAdam(AdamEntry):
    """Adam with Nesterov's look-ahead in its momentum."""

    formula = "Adam with m replaced by b1_{t+1} m + (1 - b1_t) g, b1_t = b1 (1 - 0.5 0.96^(t momentum_decay))"
    paper = "Dozat 2016"
    target = "torch.optim.NAdam"
    form = "foreach"

    name: Literal["nadam"] = "nadam"
    lr: LearningRate = 0.002
    """Learning rate."""
    momentum_decay: NotNegative = 0.004
    """How fast the momentum's schedule approaches its end value."""
    decoupled_weight_decay: bool = False
    """Decay the weights themselves, as AdamW does."""


class RAdam(AdamEntry):
    """Adam that trusts its divisor only once enough gradients have been seen: a warmup of its own.

    Its first steps (five at b2 = 0.999) are plain momentum steps.
    """

    formula = "rho_t = rho_inf - 2 t b2^t / (1 - b2^t);  while rho_t <= 5: w = w - lr m_hat, then Adam's step times r_t"
    paper = "Liu et al. 2020"
    target = "torch.optim.RAdam"
    form = "foreach"

    name: Literal["radam"] = "radam"
    decoupled_weight_decay: bool = False
    """Decay the weights themselves, as AdamW does."""


Optimizer = Annotated[OptimizerEntry, OneOf(OptimizerEntry)]
