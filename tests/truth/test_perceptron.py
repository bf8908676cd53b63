"""Whole runs against scikit-learn's MLPClassifier trained by the same rules."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from tests.truth.weights import layers_of
from training.loop import Points

EPOCHS, BATCH, ROWS = 20, 32, 150
RATE = 0.05


class FromGivenWeights(MLPClassifier):
    """scikit-learn's perceptron that starts from weights of our choice instead of drawing its own."""

    def start_from(self, layers):
        """Take a list of (weights, biases) as torch lays them out."""
        self.layers = iter(layers)
        return self

    def _init_coef(self, fan_in, fan_out, dtype):
        weights, biases = next(self.layers)
        assert weights.shape == (fan_out, fan_in)
        return weights.T.copy(), biases.copy()


def curve_of(run):
    """The mean loss over the rows of each epoch."""
    losses = [loss for told in run.events() if isinstance(told, Points) for loss in told.series["train/loss"]]
    sizes = np.minimum(BATCH, ROWS - np.arange(0, ROWS, BATCH))
    return np.reshape(losses, (EPOCHS, len(sizes))) @ sizes / ROWS


def curve_of_scikit_learn(network):
    """The same of scikit-learn, which is given the rows of each epoch in our order."""
    rows, classes = load_iris(return_X_y=True)
    rows = StandardScaler().fit_transform(rows)
    for epoch in range(EPOCHS):
        order = np.random.default_rng([0, epoch]).permutation(ROWS)
        network.partial_fit(rows[order], classes[order], classes=[0, 1, 2])
    return network.loss_curve_


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
@pytest.mark.parametrize(
    ("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)], ids=["plain", "momentum", "nesterov"]
)
def test_the_loss_of_every_epoch_is_scikit_learns_to_six_decimals_and_more(
    make_run, tmp_path, activation, momentum, nesterov
):
    run = make_run(
        split={"validation": 0},
        model={"name": "mlp", "hidden": [16, 8], "activation": {"name": activation}},
        optimizer={"name": "sgd", "lr": RATE, "momentum": momentum, "nesterov": nesterov},
        training={"epochs": EPOCHS, "batch_size": BATCH, "precision": "float64", "seed": 0},
    )
    network = FromGivenWeights(
        (16, 8),
        "logistic" if activation == "sigmoid" else activation,
        solver="sgd",
        alpha=0.0,
        batch_size=BATCH,
        learning_rate_init=RATE,
        momentum=momentum,
        nesterovs_momentum=nesterov,
        shuffle=False,
    ).start_from(layers_of(run, tmp_path))
    ours = curve_of(run)
    assert ours[-1] < ours[0]
    np.testing.assert_allclose(ours, curve_of_scikit_learn(network), rtol=0, atol=1e-12)
