"""The losses: scores (rows, outputs) and targets (rows,) to the mean over the rows, and scores to predictions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


def balanced_weights(class_counts: Tensor) -> Tensor:
    """Weights (classes,) that give every class the same say: n / (K n_k), the K classes that there are rows of.

    Args:
        class_counts: training rows of each class (classes,); a class without any gets weight 1, and teaches nothing.
    """
    counts = class_counts.double()
    present = counts > 0
    weights = counts.sum() / (present.sum() * counts)
    return torch.where(present, weights, 1.0)


class ClassLoss(nn.Module):
    """A loss of scores and class numbers.

    Args:
        class_weights: what a row of each class counts (classes,); None for all alike. The mean over the rows is then
            the weighted one.
    """

    def __init__(self, class_weights: Tensor | Sequence[float] | None = None) -> None:
        super().__init__()
        weights = None if class_weights is None else torch.as_tensor(class_weights, dtype=torch.float64)
        self.class_weights: Tensor | None
        self.register_buffer("class_weights", weights, persistent=False)

    def mean(self, losses: Tensor, classes: Tensor) -> Tensor:
        """The mean () of the rows' losses (rows,), weighted by their classes."""
        if self.class_weights is None:
            return losses.mean()
        return (self.class_weights[classes] * losses).sum() / self.weigh(classes)

    def weigh(self, classes: Tensor) -> Tensor | int:
        """What rows of these classes (rows,) count together: how much their mean is of a mean over more rows."""
        return len(classes) if self.class_weights is None else self.class_weights[classes].sum()

    def predict(self, scores: Tensor) -> Tensor:
        """Probabilities (rows, classes); where scores are no log probabilities, numbers in their order."""
        return scores.softmax(dim=1)


class NumberLoss(nn.Module):
    """A loss of scores and numbers."""

    def weigh(self, numbers: Tensor) -> int:
        """What these rows (rows,) count together: how much their mean is of a mean over more rows."""
        return len(numbers)

    def predict(self, scores: Tensor) -> Tensor:
        """The predicted numbers (rows,), scaled as the targets are."""
        return scores[:, 0]


class CrossEntropy(ClassLoss):
    """Cross-entropy of the scores' softmax and class numbers."""

    def __init__(self, label_smoothing: float, class_weights: Tensor | Sequence[float] | None) -> None:
        super().__init__(class_weights)
        self.label_smoothing = label_smoothing

    def forward(self, scores: Tensor, classes: Tensor) -> Tensor:
        return functional.cross_entropy(
            scores, classes, weight=self.class_weights, label_smoothing=self.label_smoothing
        )


class BinaryCrossEntropy(ClassLoss):
    """Cross-entropy of the one score's sigmoid, the probability of class 1, and class numbers 0 and 1."""

    def forward(self, scores: Tensor, classes: Tensor) -> Tensor:
        score = scores.squeeze(1)
        losses = functional.binary_cross_entropy_with_logits(score, classes.to(score.dtype), reduction="none")
        return self.mean(losses, classes)

    def predict(self, scores: Tensor) -> Tensor:
        # The softmax of 0 and z: the sigmoid of -z keeps the digits that 1 - sigmoid(z) loses.
        return torch.cat([-scores, scores], dim=1).sigmoid()


class MseSoftmax(ClassLoss):
    """Squared distance of the scores' softmax from the one-hot class, summed over the classes (Brier 1950)."""

    def forward(self, scores: Tensor, classes: Tensor) -> Tensor:
        wanted = functional.one_hot(classes, scores.shape[1]).to(scores.dtype)
        return (scores.softmax(dim=1) - wanted).square().sum(dim=1).mean()


class MseOneHot(ClassLoss):
    """Squared distance of the scores from the one-hot class, summed over the classes."""

    def forward(self, scores: Tensor, classes: Tensor) -> Tensor:
        wanted = functional.one_hot(classes, scores.shape[1]).to(scores.dtype)
        return (scores - wanted).square().sum(dim=1).mean()


class Focal(ClassLoss):
    """Cross-entropy, each row weighted by how little its class is expected, to a power."""

    def __init__(self, gamma: float, class_weights: Tensor | Sequence[float] | None) -> None:
        super().__init__(class_weights)
        self._gamma = gamma

    def forward(self, scores: Tensor, classes: Tensor) -> Tensor:
        log_likely = scores.log_softmax(dim=1).gather(1, classes.unsqueeze(1)).squeeze(1)
        # expm1 keeps the doubt about a row that is all but sure exact, where 1 - p would round to 0; and at 0 itself a
        # power below 1 has no slope.
        doubt = (-torch.expm1(log_likely)).clamp(min=torch.finfo(scores.dtype).tiny)
        return self.mean(doubt.pow(self._gamma).mul(-log_likely), classes)


class Hinge(ClassLoss):
    """By how much the other scores come within a margin of the right one, divided by the number of classes."""

    def __init__(self, margin: float) -> None:
        super().__init__()
        self._margin = margin

    def forward(self, scores: Tensor, classes: Tensor) -> Tensor:
        return functional.multi_margin_loss(scores, classes, margin=self._margin)


class Mse(NumberLoss):
    """Squared distance of the one score from a number."""

    def forward(self, scores: Tensor, numbers: Tensor) -> Tensor:
        return functional.mse_loss(scores.squeeze(1), numbers)


class Mae(NumberLoss):
    """Distance of the one score from a number."""

    def forward(self, scores: Tensor, numbers: Tensor) -> Tensor:
        return functional.l1_loss(scores.squeeze(1), numbers)


class Huber(NumberLoss):
    """Half the squared distance up to `delta`, straight beyond."""

    def __init__(self, delta: float) -> None:
        super().__init__()
        self._delta = delta

    def forward(self, scores: Tensor, numbers: Tensor) -> Tensor:
        return functional.huber_loss(scores.squeeze(1), numbers, delta=self._delta)


class SmoothL1(NumberLoss):
    """Huber's loss over its `beta`."""

    def __init__(self, beta: float) -> None:
        super().__init__()
        self._beta = beta

    def forward(self, scores: Tensor, numbers: Tensor) -> Tensor:
        return functional.smooth_l1_loss(scores.squeeze(1), numbers, beta=self._beta)


class LogCosh(NumberLoss):
    """Logarithm of the hyperbolic cosine of the distance."""

    def forward(self, scores: Tensor, numbers: Tensor) -> Tensor:
        missed = (scores.squeeze(1) - numbers).abs()
        # cosh itself overflows at 89 in float32.
        return (missed + functional.softplus(-2 * missed) - math.log(2)).mean()


class Quantile(NumberLoss):
    """The pinball loss of a quantile."""

    def __init__(self, q: float) -> None:
        super().__init__()
        self._q = q

    def forward(self, scores: Tensor, numbers: Tensor) -> Tensor:
        missed = numbers - scores.squeeze(1)
        return torch.maximum(self._q * missed, (self._q - 1) * missed).mean()


class Poisson(NumberLoss):
    """Negative log-likelihood of counts, the one score being the logarithm of their rate; without log y!."""

    def forward(self, scores: Tensor, counts: Tensor) -> Tensor:
        return functional.poisson_nll_loss(scores.squeeze(1), counts, log_input=True)

    def predict(self, scores: Tensor) -> Tensor:
        return super().predict(scores).exp()


class GaussianNll(NumberLoss):
    """Negative log-likelihood of numbers, the scores being the mean and the logarithm of the variance.

    Without its constant, log(2 pi) / 2.
    """

    def forward(self, scores: Tensor, numbers: Tensor) -> Tensor:
        mean, log_variance = scores.unbind(dim=1)
        return (log_variance + (numbers - mean).square() * torch.exp(-log_variance)).mean() / 2
