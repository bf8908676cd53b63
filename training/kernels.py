"""Torch's fused optimizer kernels, without what `torch.optim` does around each call of one.

Looking through groups and weights takes several times as long as the step of a small network itself. The numbers are
the same, as are the tensors in the optimizer's state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adagrad, Adam, AdamW

Group = dict[str, Any]

_aten = torch.ops.aten


def stepper(optimizer: torch.optim.Optimizer) -> Callable[[], object]:
    """What takes an optimizer's next steps, all alike: its weights, their `grad` and its state stay the same tensors.

    Learning rates and other numbers may change in its groups.

    Args:
        optimizer: that has taken a step already.
    """
    kernel = _KERNELS.get(type(optimizer))
    if kernel is None or len(optimizer.param_groups) > 1 or not optimizer.param_groups[0]["fused"]:
        return optimizer.step
    return kernel(optimizer, optimizer.param_groups[0])


def _adam(optimizer: torch.optim.Optimizer, group: Group) -> Callable[[], None]:
    weights, grads = _tensors(group)
    averages, squares = (_state(optimizer, group, name) for name in ("exp_avg", "exp_avg_sq"))
    largest = _state(optimizer, group, "max_exp_avg_sq") if group["amsgrad"] else []
    counts = _state(optimizer, group, "step")
    kernel = (_aten._fused_adamw_ if group["decoupled_weight_decay"] else _aten._fused_adam_).default

    def step() -> None:
        _aten._foreach_add_.Scalar(counts, 1)
        beta1, beta2 = group["betas"]
        kernel(
            weights,
            grads,
            averages,
            squares,
            largest,
            counts,
            lr=group["lr"],
            beta1=beta1,
            beta2=beta2,
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=group["amsgrad"],
            maximize=group["maximize"],
        )

    return step


def _sgd(optimizer: torch.optim.Optimizer, group: Group) -> Callable[[], None]:
    weights, grads = _tensors(group)
    momenta = [optimizer.state[weight].get("momentum_buffer") for weight in weights]

    def step() -> None:
        if group["momentum"] and None in momenta:  # a schedule began at 0
            optimizer.step()
            return
        _aten._fused_sgd_.default(
            weights,
            grads,
            momenta if group["momentum"] else [],
            weight_decay=group["weight_decay"],
            momentum=group["momentum"],
            lr=group["lr"],
            dampening=group["dampening"],
            nesterov=group["nesterov"],
            maximize=group["maximize"],
            is_first_step=False,
        )

    return step


def _adagrad(optimizer: torch.optim.Optimizer, group: Group) -> Callable[[], None]:
    weights, grads = _tensors(group)
    sums, counts = (_state(optimizer, group, name) for name in ("sum", "step"))

    def step() -> None:
        _aten._foreach_add_.Scalar(counts, 1)
        _aten._fused_adagrad_.default(
            weights,
            grads,
            sums,
            counts,
            lr=group["lr"],
            lr_decay=group["lr_decay"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=group["maximize"],
        )

    return step


_KERNELS: dict[type, Callable[[torch.optim.Optimizer, Group], Callable[[], None]]] = {
    Adam: _adam,
    AdamW: _adam,
    SGD: _sgd,
    Adagrad: _adagrad,
}


def _tensors(group: Group) -> tuple[list[Tensor], list[Tensor]]:
    return group["params"], [weight.grad for weight in group["params"]]


def _state(optimizer: torch.optim.Optimizer, group: Group, name: str) -> list[Tensor]:
    return [optimizer.state[weight][name] for weight in group["params"]]
