"""What is different where a row is a window of text: how it is cut, what is lost on it and how it is judged."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from training.losses import ClassLoss

SCORES_AT_ONCE = 1 << 22
"""How many scores a judgement holds at once: every place of a row has as many as there are tokens."""


def windows(tokens: np.ndarray, count: int, length: int) -> np.ndarray:
    """Windows (count, length) at even distances from the first token (tokens,) to the last.

    Raises:
        ValueError: where there are fewer tokens than a window has.
    """
    room = len(tokens) - length
    if room < 0:
        raise ValueError(f"{len(tokens)} tokens are less than a window of {length}")
    starts = np.arange(count) * room // max(1, count - 1)
    return tokens[starts[:, None] + np.arange(length)]


class EveryToken(ClassLoss):
    """A loss of classes, taken at every place of scores (rows, length, vocabulary) and tokens (rows, length)."""

    def __init__(self, loss: ClassLoss) -> None:
        super().__init__()
        self._loss = loss

    def forward(self, scores: Tensor, tokens: Tensor) -> Tensor:
        return self._loss(scores.flatten(0, 1), tokens.flatten())

    def predict(self, scores: Tensor) -> Tensor:
        """Probabilities (places, vocabulary) from scores (rows, length, vocabulary)."""
        return self._loss.predict(scores.flatten(0, 1))


@torch.inference_mode()
def judge_tokens(model: nn.Module, loss: ClassLoss, x: Tensor, y: Tensor) -> tuple[float, np.ndarray, np.ndarray]:
    """The mean loss of windows, the likeliest token at every place, and how likely the right one was.

    Args:
        model: from tokens to scores, in test mode.
        loss: of its scores.
        x: tokens (rows, length).
        y: the token that follows each (rows, length).

    Returns:
        The loss, and two arrays (places,), the likelihoods in float64.
    """
    losses, predictions, likelihoods = [], [], []
    vocabulary = model(x[:1]).shape[-1]
    size = max(1, SCORES_AT_ONCE // (x.shape[1] * vocabulary))
    for rows, wanted in zip(x.split(size), y.split(size), strict=True):
        scores = model(rows)
        losses.append(loss(scores, wanted).item() * len(rows) / len(x))
        probabilities = loss.predict(scores.cpu().double())
        predictions.append(probabilities.argmax(dim=1))
        likelihoods.append(probabilities.gather(1, wanted.flatten().cpu()[:, None])[:, 0])
    return sum(losses), torch.cat(predictions).numpy(), torch.cat(likelihoods).numpy()
