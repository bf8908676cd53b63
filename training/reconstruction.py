"""What is different where a network learns to give its inputs back: what is lost on them and how that is judged."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from training.losses import NumberLoss


class EveryNumber(NumberLoss):
    """A loss of numbers, taken over each input of rows (rows, inputs) that scores (rows, inputs x outputs) give back.

    Args:
        loss: of scores (numbers, outputs) and numbers (numbers,).
        outputs: how many scores it wants of a number.
    """

    def __init__(self, loss: NumberLoss, outputs: int) -> None:
        super().__init__()
        self._loss, self._outputs = loss, outputs

    def forward(self, scores: Tensor, inputs: Tensor) -> Tensor:
        return self._loss(scores.reshape(-1, self._outputs), inputs.flatten())

    def predict(self, scores: Tensor) -> Tensor:
        """The inputs (rows, inputs) that the scores stand for."""
        # len() would fix the number of rows in an exported program.
        return self._loss.predict(scores.reshape(-1, self._outputs)).reshape(scores.shape[0], -1)


def deviations(inputs: np.ndarray, given_back: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All numbers (rows x inputs,) of rows and of what they came back as, both less the mean of their input.

    Errors stay what they are, and the variance to explain is that within the inputs: the distance between the means of
    two inputs is no merit of the network.

    Args:
        inputs: what the network saw (rows, inputs).
        given_back: what it made of that (rows, inputs).
    """
    means = inputs.mean(axis=0, dtype=np.float64)
    return (inputs - means).ravel(), (given_back - means).ravel()
