"""Metrics that need more than one call of a library."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_auc_score


def roc_auc(targets: np.ndarray, probabilities: np.ndarray) -> float:
    """Area under the receiver operating characteristic.

    Args:
        targets: class numbers (rows,).
        probabilities: (rows, classes).

    Returns:
        Of two classes the second one's, of more the mean of each against the rest; NaN where a class has no row, or
        all of them.
    """
    classes = probabilities.shape[1]
    if len(np.unique(targets)) < classes:
        return float("nan")
    if classes == 2:
        return float(roc_auc_score(targets, probabilities[:, 1]))
    return float(roc_auc_score(targets, probabilities, multi_class="ovr"))


def perplexity(likelihoods: np.ndarray) -> float:
    """The exponential of the mean surprise, which is -log of the right class's probability (rows,)."""
    return float(np.exp(-np.log(likelihoods).mean()))


def bits_per_character(likelihoods: np.ndarray, lengths: np.ndarray) -> float:
    """The surprise of all tokens, in bits, over the characters that they are.

    Args:
        likelihoods: probability of each right token (tokens,).
        lengths: how many characters begin in it (tokens,).
    """
    return float(-np.log2(likelihoods).sum() / lengths.sum())
