"""The losses: scores (rows, outputs) and targets (rows,) to the mean over the rows."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class CrossEntropy(nn.Module):
    """Cross-entropy of the scores' softmax and class numbers."""

    def __init__(self, label_smoothing: float) -> None:
        super().__init__()
        self._label_smoothing = label_smoothing

    def forward(self, scores: Tensor, classes: Tensor) -> Tensor:
        return functional.cross_entropy(scores, classes, label_smoothing=self._label_smoothing)


class MseSoftmax(nn.Module):
    """Squared distance of the scores' softmax from the one-hot class, summed over the classes (Brier 1950)."""

    def forward(self, scores: Tensor, classes: Tensor) -> Tensor:
        wanted = functional.one_hot(classes, scores.shape[1]).to(scores.dtype)
        return (scores.softmax(dim=1) - wanted).square().sum(dim=1).mean()


class MseOneHot(nn.Module):
    """Squared distance of the scores from the one-hot class, summed over the classes."""

    def forward(self, scores: Tensor, classes: Tensor) -> Tensor:
        wanted = functional.one_hot(classes, scores.shape[1]).to(scores.dtype)
        return (scores - wanted).square().sum(dim=1).mean()


class Focal(nn.Module):
    """Cross-entropy, each row weighted by how little its class is expected, to a power."""

    def __init__(self, gamma: float) -> None:
        super().__init__()
        self._gamma = gamma

    def forward(self, scores: Tensor, classes: Tensor) -> Tensor:
        log_likely = scores.log_softmax(dim=1).gather(1, classes.unsqueeze(1)).squeeze(1)
        # expm1 keeps the doubt about a row that is all but sure exact, where 1 - p would round to 0; and at 0 itself a
        # power below 1 has no slope.
        doubt = (-torch.expm1(log_likely)).clamp(min=torch.finfo(scores.dtype).tiny)
        return doubt.pow(self._gamma).mul(-log_likely).mean()


class Hinge(nn.Module):
    """By how much the other scores come within a margin of the right one, divided by the number of classes."""

    def __init__(self, margin: float) -> None:
        super().__init__()
        self._margin = margin

    def forward(self, scores: Tensor, classes: Tensor) -> Tensor:
        return functional.multi_margin_loss(scores, classes, margin=self._margin)


class Mse(nn.Module):
    """Squared distance of the one score from a number."""

    def forward(self, scores: Tensor, numbers: Tensor) -> Tensor:
        return functional.mse_loss(scores.squeeze(1), numbers)


class Mae(nn.Module):
    """Distance of the one score from a number."""

    def forward(self, scores: Tensor, numbers: Tensor) -> Tensor:
        return functional.l1_loss(scores.squeeze(1), numbers)


class Huber(nn.Module):
    """Half the squared distance up to `delta`, straight beyond."""

    def __init__(self, delta: float) -> None:
        super().__init__()
        self._delta = delta

    def forward(self, scores: Tensor, numbers: Tensor) -> Tensor:
        return functional.huber_loss(scores.squeeze(1), numbers, delta=self._delta)


class SmoothL1(nn.Module):
    """Huber's loss over its `beta`."""

    def __init__(self, beta: float) -> None:
        super().__init__()
        self._beta = beta

    def forward(self, scores: Tensor, numbers: Tensor) -> Tensor:
        return functional.smooth_l1_loss(scores.squeeze(1), numbers, beta=self._beta)


class LogCosh(nn.Module):
    """Logarithm of the hyperbolic cosine of the distance."""

    def forward(self, scores: Tensor, numbers: Tensor) -> Tensor:
        missed = (scores.squeeze(1) - numbers).abs()
        # cosh itself overflows at 89 in float32.
        return (missed + functional.softplus(-2 * missed) - math.log(2)).mean()


class Quantile(nn.Module):
    """The pinball loss of a quantile."""

    def __init__(self, q: float) -> None:
        super().__init__()
        self._q = q

    def forward(self, scores: Tensor, numbers: Tensor) -> Tensor:
        missed = numbers - scores.squeeze(1)
        return torch.maximum(self._q * missed, (self._q - 1) * missed).mean()
