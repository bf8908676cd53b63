"""Sharpness-aware minimization around any optimizer."""

from __future__ import annotations

from typing import Any, cast

import torch
from pytorch_optimizer import SAM


class Sam(SAM):
    """Sharpness-aware minimization around an optimizer that is built already; the library's builds its own.

    Its step wants the gradient first, and a closure that computes the gradient anew at the worst point nearby.

    Args:
        base: takes the step; its parameter groups are shared.
        rho: radius of the neighbourhood in which the worst point is looked for.
        adaptive: whether the radius is relative to each weight's size.
    """

    def __init__(self, base: torch.optim.Optimizer, rho: float, adaptive: bool) -> None:
        def built(_: Any, **__: Any) -> torch.optim.Optimizer:
            return base

        super().__init__(base.param_groups, base_optimizer=cast("Any", built), rho=rho, adaptive=adaptive)
