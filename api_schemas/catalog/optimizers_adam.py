"""Adam and its family, as PyTorch has them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Strict

from api_schemas.catalog.optimizer_entry import Epsilon, Fraction, LearningRate, NotNegative, PlainOptimizerEntry

Betas = Annotated[tuple[Fraction, Fraction], Strict(strict=False)]
"""Two decay rates; JSON has lists only, so a list of two is taken."""


class AdamEntry(PlainOptimizerEntry):
    """The knobs that all forms of Adam share."""

    momentum_knob = "betas"
    usual_lr = (1e-6, 0.1)

    lr: LearningRate = 0.001
    """Learning rate; also about the size of a weight's step, whatever its gradient."""
    betas: Betas = (0.9, 0.999)
    """How much of the old average stays at each step: of the gradient, and of its square. Each from 0 to below 1."""
    eps: Epsilon = 1e-8
    """Added to the root."""
    weight_decay: NotNegative = 0.0
    """How strongly weights are pulled to zero."""


class Adam(AdamEntry):
    """RMSProp with momentum, both corrected for having started at zero.

    The usual first choice. Its weight decay is an L2 penalty, which the divisor distorts: `adamw` decays truly.
    """

    formula = "m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2;  w = w - lr (m/(1-b1^t)) / (sqrt(v/(1-b2^t)) + eps)"
    paper = "Kingma and Ba 2015"
    pitfall = (
        "A weight whose gradient is mostly nothing gets a long step when one comes, up to 7.3 lr by default; with too"
        " small a b2 it may not converge at all (Reddi et al. 2018). Weight decay is weak where gradients are large."
    )
    target = "torch.optim.Adam"
    form = "fused"

    name: Literal["adam"] = "adam"
    amsgrad: bool = False
    """Divide by the largest average so far, which mends Adam's counterexample of Reddi et al. 2018."""


class AdamW(AdamEntry):
    """Adam whose weight decay acts on the weights themselves, not through the gradient."""

    formula = "w = w - lr weight_decay w, then Adam's step"
    paper = "Loshchilov and Hutter 2019"
    pitfall = (
        "The decay of a step is lr times weight_decay, so a lower lr decays less; the same number means another "
        "strength than in `adam`."
    )
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
    pitfall = (
        "The momentum's schedule is by steps, not by the length of the run; near a good lr of Adam it is often too "
        "fast."
    )
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
    pitfall = (
        "The steps before it trusts its divisor are as long as the gradient makes them: features that are not "
        "standardised can throw it away there."
    )
    target = "torch.optim.RAdam"
    form = "foreach"

    name: Literal["radam"] = "radam"
    decoupled_weight_decay: bool = False
    """Decay the weights themselves, as AdamW does."""


class Adamax(AdamEntry):
    """Adam that divides by the largest recent gradient instead of a mean square.

    A step is never longer than about lr, even right after a gradient that is far larger than those before.
    """

    formula = "m = b1 m + (1-b1) g;  u = max(b2 u, |g| + eps);  w = w - lr / (1 - b1^t) m / u"
    paper = "Kingma and Ba 2015, section 7.1"
    pitfall = "One outlier shortens the steps of its weights for about 1 / (1 - b2) steps, a thousand by default."
    target = "torch.optim.Adamax"
    form = "foreach"

    name: Literal["adamax"] = "adamax"
    lr: LearningRate = 0.002
    """Learning rate."""


class SparseAdam(PlainOptimizerEntry):
    """Adam that touches only the weights that have a gradient, for embeddings of which a batch uses few rows.

    No model of this catalog gives sparse gradients, so no job can use it; `adam` is its dense form.
    """

    formula = "Adam's step for the rows that have a gradient; averages of the other rows stay as they are"
    paper = "Kingma and Ba 2015, as PyTorch has it for sparse gradients"
    pitfall = "Refuses dense gradients. A row's averages do not decay while it is not used."
    target = "torch.optim.SparseAdam"
    sparse_only = True

    name: Literal["sparse_adam"] = "sparse_adam"
    lr: LearningRate = 0.001
    """Learning rate."""
    betas: Betas = (0.9, 0.999)
    """How much of the old average stays at each step: of the gradient, and of its square."""
    eps: Epsilon = 1e-8
    """Added to the root."""
