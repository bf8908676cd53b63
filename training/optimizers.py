"""Optimizers that torch lacks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class AdagradRms(torch.optim.Adagrad):
    """Adagrad with the root of the mean of all past squared gradients.

    sigma_t = sqrt(s_t / (t + 1)), where s_t is Adagrad's sum, so a step is Adagrad's with lr and eps both sqrt(t + 1)
    times as large; torch's own kernels take it.

    Args:
        params: the weights.
        lr: size of a step whose gradient is as large as gradients used to be.
        weight_decay: L2 penalty, added to the gradient.
        eps: added to the root.
        foreach: one operation for all weights instead of one for each; by default torch decides.
    """

    def __init__(
        self, params: Iterable[Tensor], lr: float, weight_decay: float, eps: float, foreach: bool | None = None
    ) -> None:
        super().__init__(params, lr=lr, weight_decay=weight_decay, eps=eps, foreach=foreach)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        asked = [(group["lr"], group["eps"]) for group in self.param_groups]
        for group in self.param_groups:
            group["steps"] = group.get("steps", 0) + 1
            root = math.sqrt(group["steps"])
            group["lr"], group["eps"] = group["lr"] * root, group["eps"] * root
        try:
            return super().step(closure)
        finally:
            for group, (lr, eps) in zip(self.param_groups, asked, strict=True):
                group["lr"], group["eps"] = lr, eps
