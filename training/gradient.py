"""The gradient of all weights: how it is taken, measured and clipped."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

ALIGNED = 16
"""Numbers between two places where a tensor may begin in an array of several: 64 bytes of float32, as wide as any
processor's vectors; the same product of matrices that begin elsewhere may round otherwise."""


def lay_out(shapes: Sequence[torch.Size], array: Tensor) -> list[Tensor]:
    """Tensors of these shapes (..., *shape), one after the other in an array (..., numbers)."""
    places: list[Tensor] = []
    start = 0
    for shape in shapes:
        places.append(array[..., start : start + shape.numel()].view(*array.shape[:-1], *shape))
        start += aligned(shape.numel())
    return places


def aligned(size: int) -> int:
    """How far behind a tensor of so many numbers the next one begins."""
    return -(-size // ALIGNED) * ALIGNED


class Gradient:
    """Lays every weight's `grad` into one vector, so that clearing, measuring and clipping are one operation each.

    For small networks the operations on one weight at a time would cost more than the arithmetic: a norm over ten
    weights takes about a tenth of a step, over the vector a hundredth.

    Args:
        weights: of one type, on one device. Whoever else sets their `grad` takes them out of the vector.
    """

    def __init__(self, weights: Sequence[torch.nn.Parameter]) -> None:
        self._weights, first = weights, weights[0]
        size = sum(aligned(weight.numel()) for weight in weights)
        self.move(torch.zeros(size, dtype=first.dtype, device=first.device))

    def move(self, vector: Tensor) -> None:
        """Lie in another vector from now on, of zeros between the weights' places; what it was is forgotten."""
        self._vector = vector
        shapes = [weight.shape for weight in self._weights]
        for weight, place in zip(self._weights, lay_out(shapes, vector), strict=True):
            weight.grad = place

    def clear(self) -> None:
        """Set it to 0."""
        self._vector.zero_()

    def add(self, loss: Tensor) -> None:
        """Add the gradient of a loss ()."""
        loss.backward()

    def norm(self) -> Tensor:
        """Its Euclidean length ()."""
        return torch.linalg.vector_norm(self._vector)

    def multiply(self, factor: float) -> None:
        """Multiply it by a number."""
        self._vector.mul_(factor)

    def shorten(self, norm: Tensor, longest: float | Tensor) -> None:
        """Shorten it to `longest` where its `norm` is greater, by the rule of `torch.nn.utils.clip_grad_norm_`."""
        self._vector.mul_((longest / (norm + 1e-6)).clamp(max=1.0))

    def clamp(self, largest: float) -> None:
        """Bring each of its elements into [-largest, largest]."""
        self._vector.clamp_(-largest, largest)

    def free(self) -> None:
        """After a step: let go of what only that step needed."""


class LooseGradient:
    """The gradient as each weight holds it, for optimizers that set `grad` themselves.

    Args:
        weights: of one type, on one device.
    """

    def __init__(self, weights: Sequence[torch.nn.Parameter]) -> None:
        self._weights = weights

    def clear(self) -> None:
        """Take it from every weight."""
        for weight in self._weights:
            weight.grad = None

    def add(self, loss: Tensor) -> None:
        """Add the gradient of a loss ()."""
        loss.backward()

    def norm(self) -> Tensor:
        """Its Euclidean length ()."""
        parts = [weight.grad.detach().flatten() for weight in self._weights if weight.grad is not None]
        return torch.linalg.vector_norm(torch.cat(parts))

    def multiply(self, factor: float) -> None:
        """Multiply it by a number."""
        self._replace(lambda part: part * factor)

    def shorten(self, norm: Tensor, longest: float | Tensor) -> None:
        """Shorten it to `longest` where its `norm` is greater, by the rule of `torch.nn.utils.clip_grad_norm_`."""
        factor = (longest / (norm + 1e-6)).clamp(max=1.0)
        self._replace(lambda part: part * factor)

    def clamp(self, largest: float) -> None:
        """Bring each of its elements into [-largest, largest]."""
        self._replace(lambda part: part.clamp(-largest, largest))

    def free(self) -> None:
        """After a step: let go of what only that step needed."""

    def _replace(self, change: Callable[[Tensor], Tensor]) -> None:
        for weight in self._weights:
            if weight.grad is not None:
                weight.grad = change(weight.grad)


class DifferentiableGradient(LooseGradient):
    """The gradient together with the graph that it was computed by, for optimizers that differentiate it again.

    What is clipped is the gradient's value; its derivative stays that of the loss.
    """

    def add(self, loss: Tensor) -> None:
        parts = torch.autograd.grad(loss, self._weights, create_graph=True)
        for weight, part in zip(self._weights, parts, strict=True):
            weight.grad = part if weight.grad is None else weight.grad + part

    def free(self) -> None:
        # A weight and the graph of its own gradient hold each other; no garbage collector sees it.
        self.clear()

    def _replace(self, change: Callable[[Tensor], Tensor]) -> None:
        super()._replace(lambda part: part + (change(part) - part).detach())


class NormHistory:
    """AutoClip's threshold: a percentile of the gradient norms so far, over at most the last 1,000 of them.

    Seetharaman et al. 2020, AutoClip: Adaptive Gradient Clipping for Source Separation Networks.

    Args:
        percentile: from 0 to 100; between two norms it interpolates linearly.
        like: a tensor of the norms' type, on their device.
    """

    LENGTH = 1000

    def __init__(self, percentile: float, like: Tensor) -> None:
        self._share = percentile / 100
        self._norms = torch.zeros(self.LENGTH, dtype=like.dtype, device=like.device)
        self._seen = 0

    def add(self, norm: Tensor) -> Tensor:
        """Take in the norm () of a step's gradient; returns the threshold () for that step."""
        self._norms[self._seen % self.LENGTH] = norm
        self._seen += 1
        return torch.quantile(self._norms[: self._seen], self._share)

    def state(self) -> tuple[Tensor, int]:
        """What a checkpoint keeps."""
        return self._norms, self._seen

    def restore(self, state: tuple[Tensor, int]) -> None:
        """Go on from `state()`."""
        norms, self._seen = state
        self._norms.copy_(norms)
