"""Logistic regression with an L2 penalty against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from tests.truth.weights import layers_of

C = 1.0
"""How little scikit-learn penalises."""
STEPS = 1500


@pytest.fixture(scope="module")
def rows():
    """Standardised measurements (rows, 30) and classes (rows,)."""
    x, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(x), y


def objective(rows, weights, intercept):
    """What scikit-learn makes small, over the number of rows: the intercept is not penalised."""
    x, y = rows
    margin = (2 * y - 1) * (x @ weights + intercept)
    return np.logaddexp(0, -margin).mean() + weights @ weights / (2 * C * len(y))


@pytest.mark.parametrize(
    ("optimizer", "schedule"),
    [
        ({"name": "sgd", "lr": 0.2, "momentum": 0.98}, "constant"),
        ({"name": "sgd", "lr": 0.2, "momentum": 0.98, "nesterov": True}, "constant"),
        ({"name": "adam", "lr": 0.1}, "cosine"),
        ({"name": "rmsprop", "lr": 0.03}, "cosine"),
    ],
    ids=["momentum", "nesterov", "adam", "rmsprop"],
)
def test_weight_decay_reaches_the_objective_of_scikit_learn(make_run, tmp_path, rows, optimizer, schedule):
    """Two outputs w1, w2 under a softmax are one output w1 - w2 under a sigmoid.

    The penalty is least at w1 = -w2, where it is half of that on w1 - w2: so the weight decay is 2 / (C n) for
    scikit-learn's 1 / (C n). Decoupled decay, as AdamW's, is another objective.
    """
    x, y = rows
    known = LogisticRegression(C=C, tol=1e-10, max_iter=10_000).fit(x, y)
    least = objective(rows, known.coef_[0], known.intercept_[0])
    run = make_run(
        dataset={"name": "breast_cancer"},
        split={"validation": 0},
        model={"name": "linear"},
        optimizer=optimizer | {"weight_decay": 2 / (C * len(y))},
        schedule=[{"name": schedule}],
        training={
            "epochs": STEPS,
            "batch_size": len(y),
            "precision": "float64",
            "decay_norms_and_biases": False,
            "checkpoint_every_steps": STEPS,
        },
    )
    for _ in run.events():
        pass
    ((weights, biases),) = layers_of(run, tmp_path)
    reached = objective(rows, weights[1] - weights[0], biases[1] - biases[0])
    assert reached == pytest.approx(least, rel=1e-6)
    np.testing.assert_allclose(weights[0], -weights[1], atol=1e-4)
