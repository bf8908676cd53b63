"""The losses: scores (rows, outputs) and targets (rows,) to the mean over the rows."""

from __future__ import annotations

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


class Mse(nn.Module):
    """Squared distance of the one score from a number."""

    def forward(self, scores: Tensor, numbers: Tensor) -> Tensor:
        return functional.mse_loss(scores.squeeze(1), numbers)
