"""What papers prove of RMSProp, Adam and AMSGrad, in their numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tests.truth.descent import descend, entry_of

LR = 0.01


def along(gradients):
    """Gradients that come in this order wherever the weight is."""
    return lambda step, _: torch.tensor([gradients[step]], dtype=torch.float64)


def steps_of(entry, gradients):
    """The length of each step in learning rates."""
    path = descend(entry, along(gradients), np.zeros(1), len(gradients))
    return np.abs(np.diff(path[:, 0], prepend=0.0)) / LR


@pytest.mark.parametrize(("amsgrad", "end"), [(False, 1.0), (True, -1.0)])
def test_adam_goes_to_the_worst_point_and_amsgrad_to_the_best(amsgrad, end):
    """The losses 3x, -x, -x come round and round, x in [-1, 1]: on average x / 3, least at -1.

    Reddi, Kale and Kumar 2018, theorem 1, with C = 3, betas (0, 1 / (1 + C^2)): Adam is at 1 after every round.
    """
    entry = entry_of(name="adam", lr=0.1, betas=[0.0, 0.1], amsgrad=amsgrad)
    path = descend(entry, along([3.0, -1.0, -1.0] * 1000), np.ones(1), 3000, bounds=(-1.0, 1.0))
    rounds = path.reshape(1000, 3)
    if amsgrad:
        assert (rounds[-100:].min(axis=1) == end).all()
        assert rounds[-100:].max() < -0.9
    else:
        assert (rounds[:, -1] == end).all()


def test_the_largest_step_of_rmsprop_is_ten_learning_rates():
    """It is lr / sqrt(1 - alpha): reached where the gradient was 0 for long, passed by no gradients at all."""
    entry = entry_of(name="rmsprop", lr=LR, alpha=0.99)
    assert steps_of(entry, [0.0] * 2000 + [1.0])[-1] == pytest.approx(10.0, rel=1e-6)
    assert steps_of(entry, wild_gradients()).max() <= 10.0


def test_a_gradient_after_many_zeros_moves_adam_by_3_16_learning_rates():
    """That is lr (1 - b1) / sqrt(1 - b2), the bound of Kingma and Ba 2015, section 2.1, for its most sparse case."""
    steps = steps_of(entry_of(name="adam", lr=LR), [0.0] * 20_000 + [1.0])
    assert steps[-1] == pytest.approx(0.1 / math.sqrt(0.001), rel=1e-6)


def test_no_gradients_move_adam_by_more_than_7_27_learning_rates():
    """The bound of the paper holds for one gradient among zeros; more of them go on pushing.

    By Cauchy and Schwarz the ratio of the averages is at most (1 - b1) / sqrt((1 - b2) (1 - b1^2 / b2)), and equal
    where the gradient of k steps ago is (b1 / b2)^k times the last one.
    """
    bound = 0.1 / math.sqrt(0.001 * (1 - 0.9**2 / 0.999))
    assert bound == pytest.approx(7.27, abs=0.005)
    entry = entry_of(name="adam", lr=LR)
    rising = [(0.9 / 0.999) ** age for age in range(300, -1, -1)]
    assert steps_of(entry, [0.0] * 20_000 + rising)[-1] == pytest.approx(bound, rel=1e-6)
    assert steps_of(entry, wild_gradients()).max() <= bound


def wild_gradients():
    """Gradients of both signs and of sizes from 1e-6 to 1e6, most of them 0."""
    rng = np.random.default_rng(0)
    sizes = 10.0 ** rng.uniform(-6, 6, 5000) * rng.choice([-1, 1], 5000)
    return np.where(rng.random(5000) < 0.01, sizes, 0.0).tolist()
