"""PyTorch's optimizers beside Adam's family, and the lecture's form of Adagrad."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic import Strict, model_validator

from api_schemas.base import Schema
from api_schemas.catalog.entry import OneOf
from api_schemas.catalog.optimizers import Epsilon, Fraction, LearningRate, NotNegative, PlainOptimizerEntry
from api_schemas.catalog.optimizers_adam import AdamEntry, AdamW

ShrinkRate = Annotated[float, Gt(0), Lt(1)]
GrowthRate = Annotated[float, Gt(1), Le(1e6)]
Coefficient = Annotated[float, Ge(-1e6), Le(1e6)]


class Sgd(PlainOptimizerEntry):
    """Stochastic gradient descent, with momentum if asked for.

    The plain rule: one learning rate for all directions. In a ravine, where one direction is much steeper than
    another, a rate that suits the steep one crawls along the flat one; momentum, Adam or normalised features help.
    """

    formula = "v = momentum v + (1 - dampening) g;  w = w - lr v   (nesterov: w = w - lr (g + momentum v))"
    paper = "Robbins and Monro 1951; Polyak 1964; Sutskever et al. 2013"
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


class Adafactor(PlainOptimizerEntry):
    """RMSProp that keeps, for each matrix, the averages of its rows and columns instead of one for each weight.

    Needs almost no memory beside the weights, which is why large language models are trained by it. The step is
    measured against the weights' own size, so lr is the largest relative change.
    """

    formula = (
        "v = R C / sum(R), of the averages R of g^2 along rows and C along columns;  u = g / sqrt(v);  "
        "w = w - max(eps2, rms(w)) min(lr, 1/sqrt(t)) u / max(1, rms(u) / d)"
    )
    paper = "Shazeer and Stern 2018"
    pitfall = "Has no momentum. After 1 / lr^2 steps its rate decays as 1/sqrt(t) by itself, on top of a schedule."
    target = "torch.optim.Adafactor"
    form = "foreach"

    name: Literal["adafactor"] = "adafactor"
    lr: LearningRate = 0.01
    """Largest change of the weights at a step, relative to their root mean square."""
    beta2_decay: Annotated[float, Ge(-1e6), Le(0)] = -0.8
    """How fast the average's memory grows: what is new weighs t^beta2_decay."""
    eps: Annotated[tuple[Epsilon | None, Epsilon], Strict(strict=False)] = (None, 1e-3)
    """Least squared gradient, by default the smallest difference of the numbers, and least size of the weights."""
    d: Annotated[float, Ge(1), Le(1e6)] = 1.0
    """Longest step as a root mean square, before lr; a longer one is shortened."""
    weight_decay: NotNegative = 0.0
    """Share of lr by which each weight shrinks at a step."""


class Companion(Schema):
    """What an optimizer for matrices alone has beside it."""

    companion: Annotated[AdamEntry, OneOf(AdamEntry)] = AdamW()
    """The optimizer of all weights that are no matrices: biases, norms and convolutions."""


class Muon(Companion, PlainOptimizerEntry):
    """Momentum whose step for a matrix is made orthogonal, so that all directions move alike.

    For the matrices of hidden layers; all other weights are trained by `companion`. Few directions dominate a usual
    gradient, and rare ones learn slowly; here they do not.
    """

    formula = (
        "m = mu m + (1-mu) g;  O = NewtonSchulz(m), near U V^T of m = U S V^T;  W = W - lr sqrt(max(1, rows/columns)) O"
    )
    paper = "Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/"
    pitfall = (
        "Takes matrices alone; it also orthogonalises the first and the last layer, which the author gives to AdamW."
    )
    target = "torch.optim.Muon"
    momentum_knob = "momentum"
    matrices_only = True

    name: Literal["muon"] = "muon"
    lr: LearningRate = 0.001
    """Learning rate of the matrices; the companion has its own."""
    weight_decay: NotNegative = 0.1
    """Share of lr by which each weight shrinks at a step."""
    momentum: Fraction = 0.95
    """Share of the old average that stays."""
    nesterov: bool = True
    """Look ahead: mix the newest gradient into the average once more."""
    ns_coefficients: Annotated[tuple[Coefficient, Coefficient, Coefficient], Strict(strict=False)] = (
        3.4445,
        -4.775,
        2.0315,
    )
    """Of the polynomial a X + b (X X^T) X + c (X X^T)^2 X that each Newton-Schulz iteration applies."""
    eps: Epsilon = 1e-7
    """Least norm by which the matrix is divided first."""
    ns_steps: Annotated[int, Ge(1), Lt(100)] = 5
    """Newton-Schulz iterations."""
    adjust_lr_fn: Literal["original", "match_rms_adamw"] | None = None
    """How lr follows a matrix's shape: `original`, also by default, or so that steps are as long as AdamW's."""


class Lbfgs(PlainOptimizerEntry):
    """A quasi-Newton method: estimates the curvature from past gradients and goes where a parabola has its minimum.

    The method of choice for small, smooth problems on the whole dataset: set batch_size to all training rows. One
    step evaluates the loss up to max_eval times.
    """

    formula = "d = -H g, H the inverse curvature estimated from the last history_size changes of w and g;  w = w + lr d"
    paper = "Liu and Nocedal 1989"
    pitfall = "In mini-batches the differences of gradients are noise, and so is the curvature: it may diverge."
    target = "torch.optim.LBFGS"
    needs = "closure"
    one_group = True

    name: Literal["lbfgs"] = "lbfgs"
    lr: LearningRate = 1.0
    """Length of a step along the direction; 1 is Newton's."""
    max_iter: Annotated[int, Ge(1), Le(10_000)] = 20
    """Iterations of one step."""
    max_eval: Annotated[int, Ge(1), Le(100_000)] | None = None
    """Evaluations of the loss in one step, by default 5/4 of max_iter."""
    tolerance_grad: NotNegative = 1e-7
    """Ends a step when no part of the gradient is larger."""
    tolerance_change: NotNegative = 1e-9
    """Ends a step when loss and weights change less."""
    history_size: Annotated[int, Ge(1), Le(10_000)] = 100
    """How many changes the curvature is estimated from; each costs memory of all weights twice."""
    line_search_fn: Literal["strong_wolfe"] | None = None
    """`strong_wolfe` searches for a length that lowers the loss enough, instead of taking lr."""
