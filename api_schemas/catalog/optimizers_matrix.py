"""PyTorch's optimizers that look at more than one weight at a time: at a row, a matrix, or the whole network."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Le, Lt
from pydantic import Strict

from api_schemas.base import Schema
from api_schemas.catalog.entry import OneOf
from api_schemas.catalog.optimizer_entry import Epsilon, Fraction, LearningRate, NotNegative, PlainOptimizerEntry
from api_schemas.catalog.optimizers_adam import AdamEntry, AdamW

Coefficient = Annotated[float, Ge(-1e6), Le(1e6)]


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

    @property
    def passes(self) -> int:
        most = self.max_eval or self.max_iter * 5 // 4
        return most if self.line_search_fn else min(most, self.max_iter)
