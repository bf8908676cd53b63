"""Gradient descent and the adaptive rates before Adam, as PyTorch has them, and the lecture's form of Adagrad."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Gt, Le, Lt
from pydantic import Strict, model_validator

from api_schemas.catalog.optimizer_entry import Epsilon, Fraction, LearningRate, NotNegative, PlainOptimizerEntry

ShrinkRate = Annotated[float, Gt(0), Lt(1)]
GrowthRate = Annotated[float, Gt(1), Le(1e6)]


class Sgd(PlainOptimizerEntry):
    """Stochastic gradient descent, with momentum if asked for.

    The plain rule: one learning rate for all directions. In a ravine, where one direction is much steeper than
    another, a rate that suits the steep one crawls along the flat one; momentum, Adam or normalised features help.
    """

    formula = "v = momentum v + (1 - dampening) g;  w = w - lr v   (nesterov: w = w - lr (g + momentum v))"
    paper = "Robbins and Monro 1951; Polyak 1964; Sutskever et al. 2013"
    pitfall = (
        "A rate above 2 / (largest curvature) diverges, and the gradient's scale is the step's: what is right for one"
        " model or loss is wrong for the next."
    )
    target = "torch.optim.SGD"
    momentum_knob = "momentum"
    usual_lr = (1e-4, 10.0)
    form = "fused"

    name: Literal["sgd"] = "sgd"
    lr: LearningRate = 0.001
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
    pitfall = (
        "The sum never forgets: a burst of large gradients at the start makes every later step short, and a long run "
        "stops before it has arrived."
    )
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
    pitfall = (
        "After n flat steps the first gradient makes a step of about sqrt(n) lr: the loss bursts. See the example "
        "problem-of-adagrad."
    )
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
    pitfall = (
        "Its average starts at zero and is not corrected, so the first steps are up to 1 / sqrt(1 - alpha) times lr "
        "long; a warmup helps."
    )
    target = "torch.optim.RMSprop"
    momentum_knob = "momentum"
    form = "foreach"

    name: Literal["rmsprop"] = "rmsprop"
    lr: LearningRate = 0.01
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


class Adadelta(PlainOptimizerEntry):
    """Steps of the size that past steps had: a ratio of two moving averages, so that lr needs no tuning.

    The numerator averages squared steps, the divisor squared gradients; gradients in other units give equal steps.
    """

    formula = "s = rho s + (1-rho) g^2;  d = sqrt(a + eps) / sqrt(s + eps) g;  a = rho a + (1-rho) d^2;  w = w - lr d"
    paper = "Zeiler 2012"
    pitfall = "The first steps are about sqrt(eps) long and grow only slowly: a larger eps starts faster."
    target = "torch.optim.Adadelta"
    form = "foreach"

    name: Literal["adadelta"] = "adadelta"
    lr: LearningRate = 1.0
    """Factor of the step; 1 is the paper's rule."""
    rho: Fraction = 0.9
    """How much of the old averages stays at each step."""
    eps: Epsilon = 1e-6
    """Added within both roots; sets the size of the first steps."""
    weight_decay: NotNegative = 0.0
    """L2 penalty, added to the gradient."""


class Asgd(PlainOptimizerEntry):
    """Gradient descent whose rate decays by its own power law, with an average of the weights kept beside.

    The average is the estimate that the theory is about, but the weights that are trained and judged are the last
    ones; to train and judge an average, set `averaging` of the training.
    """

    formula = "eta_t = lr / (1 + lambd lr t)^alpha;  w = (1 - lambd eta_t) w - eta_t g"
    paper = "Polyak and Juditsky 1992; Bottou 2010"
    pitfall = "Averaging begins after t0 steps, a million by default, and nothing here reads it."
    target = "torch.optim.ASGD"
    form = "foreach"

    name: Literal["asgd"] = "asgd"
    lr: LearningRate = 0.01
    """Learning rate of the first step."""
    lambd: NotNegative = 1e-4
    """Decay: of the rate with the steps, and of the weights at each."""
    alpha: NotNegative = 0.75
    """Power of the rate's decay."""
    t0: NotNegative = 1e6
    """Step at which averaging begins."""
    weight_decay: NotNegative = 0.0
    """L2 penalty, added to the gradient."""


class Rprop(PlainOptimizerEntry):
    """Steps by the sign of the gradient, with a step size of its own for each weight.

    The size grows while the sign stays and shrinks when it turns; how large the gradient is does not matter. Fast on
    whole datasets: set batch_size to all training rows.
    """

    formula = (
        "size = clip(size (eta+ if g g_old > 0, eta- if g g_old < 0));  w = w - size sign(g), none where it turned"
    )
    paper = "Riedmiller and Braun 1993"
    pitfall = (
        "In mini-batches signs turn by chance and sizes shrink without reason. A schedule has no effect: lr is the "
        "size of the first step only."
    )
    target = "torch.optim.Rprop"
    form = "foreach"

    name: Literal["rprop"] = "rprop"
    lr: LearningRate = 0.01
    """Size of each weight's first step."""
    etas: Annotated[tuple[ShrinkRate, GrowthRate], Strict(strict=False)] = (0.5, 1.2)
    """By what a size shrinks when the sign turns, and grows while it stays."""
    step_sizes: Annotated[tuple[NotNegative, NotNegative], Strict(strict=False)] = (1e-6, 50.0)
    """Smallest and largest size."""
