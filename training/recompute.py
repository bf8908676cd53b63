"""Networks that keep less for the gradient and compute it again."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

Contexts = tuple[AbstractContextManager[None], AbstractContextManager[None]]


class Recomputed(nn.Sequential):
    """Layers one after the other, in parts, of which only the first input is kept while they train.

    Activation checkpointing (Chen et al. 2016, section 4): on the way back each part is computed once more, with the
    same random numbers and running statistics, so that gradients and buffers are the same to the last bit. With as many
    parts as the square root of the layers, memory grows with that root.

    Args:
        layers: as of `torch.nn.Sequential`.
        parts: how many; 1 keeps everything.
    """

    def __init__(self, *layers: nn.Module, parts: int) -> None:
        super().__init__(*layers)
        self.parts = parts

    def forward(self, input: Any) -> Tensor:  # noqa: A002 - torch's name of it
        if self.parts == 1 or not (self.training and torch.is_grad_enabled()):
            return super().forward(input)
        layers, size = list(self), math.ceil(len(self) / self.parts)
        for start in range(0, len(layers), size):
            part = layers[start : start + size]
            input = checkpoint(_through(part), input, use_reentrant=False, context_fn=_contexts(part))  # noqa: A001
        return input


def _through(layers: Sequence[nn.Module]) -> Callable[[Tensor], Tensor]:
    def run(x: Tensor) -> Tensor:
        for layer in layers:
            x = layer(x)
        return x

    return run


def _contexts(layers: Sequence[nn.Module]) -> Callable[[], Contexts]:
    """What to compute within, the first time and again: again with the running statistics of the first time."""
    buffers = [buffer for layer in layers for buffer in layer.buffers()]
    return lambda: (nullcontext(), AsBefore(buffers))


class AsBefore(AbstractContextManager[None]):
    """Within it, buffers are what they were when it was made; afterwards what they became since."""

    def __init__(self, buffers: Sequence[Tensor]) -> None:
        self._buffers, self._before = buffers, [buffer.clone() for buffer in buffers]
        self._after: list[Tensor] = []

    def __enter__(self) -> None:
        self._after = [buffer.clone() for buffer in self._buffers]
        self._set(self._before)

    def __exit__(self, *_: object) -> None:
        self._set(self._after)

    def _set(self, values: Sequence[Tensor]) -> None:
        for buffer, value in zip(self._buffers, values, strict=True):
            buffer.data.copy_(value)  # unseen by autograd, as the statistics' own updates are
