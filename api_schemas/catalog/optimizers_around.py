"""Optimizers around another one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Le
from pydantic import model_validator

from api_schemas.catalog.call import Call
from api_schemas.catalog.optimizer_entry import NotNegative, OptimizerEntry, PlainOptimizer
from api_schemas.catalog.optimizers_adam import Adam
from api_schemas.catalog.optimizers_torch import Sgd


class AroundEntry(OptimizerEntry):
    """An optimizer around another one, its `base`, that takes the steps."""

    base: PlainOptimizer
    """The optimizer that takes the steps; any that needs the gradient alone."""

    @property
    def rate(self) -> float:
        return self.base.rate

    @property
    def innermost(self) -> OptimizerEntry:
        return self.base

    def call(self, *args: Any, **more: Any) -> Call:
        """The call that wraps the base; `args` and `more` are the base's."""
        return super().call(self.base.call(*args, **more))

    @model_validator(mode="after")
    def _base_steps_by_the_gradient(self) -> AroundEntry:
        base = self.base
        special = base.needs != "gradient" or base.matrices_only or base.matrices_flag or base.takes_model
        if special or base.switches_mode:
            raise ValueError(f"{self.name!r} needs a base that steps by the gradient alone, and {base.name!r} does not")
        return self


class Lookahead(AroundEntry):
    """Lets its base run k steps ahead, then goes part of the way to where it came and lets it run from there.

    Steadies a base whose steps are too long or too noisy, so that lr matters less.
    """

    formula = "every k steps of the base: slow = slow + alpha (w - slow);  w = slow"
    paper = "Zhang et al. 2019, https://arxiv.org/abs/1907.08610"
    pitfall = "Evaluations between two such returns judge the fast weights. At alpha 1 it is its base."
    target = "pytorch_optimizer.Lookahead"

    name: Literal["lookahead"] = "lookahead"
    base: PlainOptimizer = Adam()
    """The optimizer that runs ahead; any that needs the gradient alone."""
    k: Annotated[int, Ge(1), Le(1_000_000)] = 5
    """Steps of the base between two returns."""
    alpha: Annotated[float, Ge(0), Le(1)] = 0.5
    """Which part of the way is gone."""
    pullback_momentum: Literal["none", "reset", "pullback"] = "none"
    """What becomes of the base's momentum at a return: kept, cleared, or averaged as the weights are."""


class Sam(AroundEntry):
    """Sharpness-aware minimisation: steps by the gradient of the worst point nearby, towards flat minima.

    Each step takes two gradients, so it costs twice. Flat minima are often those that generalise.
    """

    formula = "w' = w + rho g(w) / ||g(w)||;  then the base's step from w with the gradient g(w')"
    paper = "Foret et al. 2021, https://arxiv.org/abs/2010.01412; adaptive: Kwon et al. 2021"
    pitfall = "Twice the time of its base. Too large a rho hinders fitting at all; running statistics see both passes."
    target = "training.sharpness.Sam"
    needs = "gradient_and_closure"

    name: Literal["sam"] = "sam"
    base: PlainOptimizer = Sgd(momentum=0.9)
    """The optimizer that takes the steps; any that needs the gradient alone."""
    rho: NotNegative = 0.05
    """Radius of the neighbourhood in which the worst point is looked for."""
    adaptive: bool = False
    """Measure the neighbourhood relative to each weight's size; rho is then about ten times as large."""
