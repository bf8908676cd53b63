"""Torch's fused optimizer kernels, without what `torch.optim` does around each call of one.

Looking through groups and weights takes several times as long as the step of a small network itself. The numbers are
the same, and what the optimizer keeps is where it was.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adagrad, Adam, AdamW

from training.gradient import ALIGNED

Group = dict[str, Any]

# By these names they are called with the least ado; torch keeps them to itself.
_fused_adam: Any = torch._fused_adam_  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
_fused_adamw: Any = torch._fused_adamw_  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
_fused_sgd: Any = torch._fused_sgd_  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
_fused_adagrad: Any = torch._fused_adagrad_  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]


def stepper(optimizer: torch.optim.Optimizer) -> Callable[[], object]:
    """What takes an optimizer's next steps, for as long as its weights and their `grad` stay the same tensors.

    Learning rates and other numbers may change in its group.

    Args:
        optimizer: that has taken a step already. Its state is laid out anew.
    """
    kernel = _KERNELS.get(type(optimizer))
    if kernel is None or len(optimizer.param_groups) > 1 or not optimizer.param_groups[0]["fused"]:
        return optimizer.step
    return kernel(_Kept(optimizer), optimizer.param_groups[0])


class _Kept:
    """An optimizer's weights, gradients and state, as few tensors as they can be seen as.

    Weights that lie one behind the other are one to a kernel, where that gives them the same bits: each of them has to
    fill whole vectors of the processor.
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer, self._state = optimizer, optimizer.state
        weights = optimizer.param_groups[0]["params"]
        self._spans: list[list[Tensor]] = [weights[:1]]
        for before, weight in itertools.pairwise(weights):
            if before.numel() % ALIGNED == 0 and _follows(before, weight) and _follows(before.grad, weight.grad):
                self._spans[-1].append(weight)
            else:
                self._spans.append([weight])
        self.weights = [_span([weight.detach() for weight in span]) for span in self._spans]
        self.grads = [_span([weight.grad for weight in span if weight.grad is not None]) for span in self._spans]

    def has(self, name: str) -> bool:
        """Whether something of this name is kept for every weight."""
        return all(name in self._state[weight] for span in self._spans for weight in span)

    def averages(self, name: str) -> list[Tensor]:
        """What is kept of each weight's shape."""
        spans: list[Tensor] = []
        for span in self._spans:
            whole = torch.cat([self._state[weight][name].flatten() for weight in span])
            for weight, part in zip(span, whole.split([weight.numel() for weight in span]), strict=True):
                self._state[weight][name] = part.view(weight.shape)
            spans.append(whole)
        return spans

    def counts(self) -> tuple[Tensor, list[Tensor]]:
        """The counts of steps (weights,), all alike, and one for each tensor."""
        counts = torch.stack([self._state[weight]["step"] for span in self._spans for weight in span])
        parts = iter(counts.unbind())
        for span in self._spans:
            for weight in span:
                self._state[weight]["step"] = next(parts)
        return counts, [self._state[span[0]]["step"] for span in self._spans]


def _adam(kept: _Kept, group: Group) -> Callable[[], None]:
    averages, squares = kept.averages("exp_avg"), kept.averages("exp_avg_sq")
    largest = kept.averages("max_exp_avg_sq") if group["amsgrad"] else []
    total, counts = kept.counts()
    kernel = _fused_adamw if group["decoupled_weight_decay"] else _fused_adam

    def step() -> None:
        total.add_(1)
        beta1, beta2 = group["betas"]
        kernel(
            kept.weights,
            kept.grads,
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


def _sgd(kept: _Kept, group: Group) -> Callable[[], None]:
    momenta = kept.averages("momentum_buffer") if kept.has("momentum_buffer") else []

    def step() -> None:
        if group["momentum"] and not momenta:  # its schedule began at 0
            kept.optimizer.step()
            return
        _fused_sgd(
            kept.weights,
            kept.grads,
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


def _adagrad(kept: _Kept, group: Group) -> Callable[[], None]:
    sums, (total, counts) = kept.averages("sum"), kept.counts()

    def step() -> None:
        total.add_(1)
        _fused_adagrad(
            kept.weights,
            kept.grads,
            sums,
            counts,
            lr=group["lr"],
            lr_decay=group["lr_decay"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=group["maximize"],
        )

    return step


_KERNELS: dict[type, Callable[[_Kept, Group], Callable[[], None]]] = {
    Adam: _adam,
    AdamW: _adam,
    SGD: _sgd,
    Adagrad: _adagrad,
}


def _follows(before: Tensor | None, tensor: Tensor | None) -> bool:
    """Whether a tensor lies right behind another one."""
    if before is None or tensor is None:
        return False
    return tensor.data_ptr() == before.data_ptr() + before.numel() * before.element_size()


def _span(parts: Sequence[Tensor]) -> Tensor:
    """Tensors that lie one behind the other, as one vector."""
    return parts[0].as_strided((sum(part.numel() for part in parts),), (1,))
