"""The losses against torch's own and against numbers worked out by hand."""

import math

import pytest
import torch
from sklearn.metrics import hinge_loss, mean_absolute_error, mean_pinball_loss
from torch.nn import functional

from api_schemas.catalog.losses import (
    CrossEntropy,
    Focal,
    Hinge,
    Huber,
    LogCosh,
    LossEntry,
    Mae,
    Mse,
    MseOneHot,
    MseSoftmax,
    Quantile,
    SmoothL1,
)
from training.build import build_loss

SURE_AND_WRONG = torch.tensor([[10.0, -10.0, 0.0]], dtype=torch.float64)


def steepest(entry):
    """Largest part of the gradient where the network is sure of class 0 and class 1 is right."""
    scores = SURE_AND_WRONG.clone().requires_grad_()
    build_loss(entry)(scores, torch.tensor([1])).backward()
    return scores.grad.abs().max().item()


def test_where_the_network_is_surely_wrong_cross_entropy_is_steep_and_mse_on_softmax_flat():
    assert steepest(CrossEntropy()) == pytest.approx(1.0, abs=1e-4)
    assert steepest(MseSoftmax()) == pytest.approx(9.1e-5, rel=0.01)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_the_mean_of_the_smoothed_log_likelihoods(smoothing):
    scores, classes = torch.randn(7, 4), torch.tensor([0, 1, 2, 3, 0, 1, 2])
    wanted = functional.one_hot(classes, 4) * (1 - smoothing) + smoothing / 4
    by_hand = -(wanted * functional.log_softmax(scores, dim=1)).sum(dim=1).mean()
    torch.testing.assert_close(build_loss(CrossEntropy(label_smoothing=smoothing))(scores, classes), by_hand)


def test_mse_is_the_mean_square_of_what_was_missed():
    loss = build_loss(Mse())(torch.tensor([[1.0], [2.0], [5.0]]), torch.tensor([1.0, 4.0, 4.0]))
    assert loss.item() == pytest.approx((0 + 4 + 1) / 3)


def scores_and_classes():
    torch.manual_seed(0)
    return torch.randn(9, 4, dtype=torch.float64, requires_grad=True), torch.randint(4, (9,))


def test_focal_is_cross_entropy_at_gamma_0_and_counts_sure_rows_less_above():
    scores, classes = scores_and_classes()
    focal = build_loss(Focal(gamma=0.0))(scores, classes)
    torch.testing.assert_close(focal, functional.cross_entropy(scores, classes))
    likely = scores.softmax(dim=1)[torch.arange(9), classes]
    by_hand = ((1 - likely) ** 2 * -likely.log()).mean()
    torch.testing.assert_close(build_loss(Focal())(scores, classes), by_hand)


def test_focal_has_a_finite_gradient_where_the_network_is_sure():
    scores = torch.tensor([[60.0, -60.0]], requires_grad=True)
    build_loss(Focal(gamma=0.5))(scores, torch.tensor([0])).backward()
    assert torch.isfinite(scores.grad).all()


def test_least_squares_on_one_hot_classes():
    scores, classes = scores_and_classes()
    by_hand = sum(((row - torch.eye(4)[int(k)]) ** 2).sum() for row, k in zip(scores, classes, strict=True)) / 9
    torch.testing.assert_close(build_loss(MseOneHot())(scores, classes), by_hand)


def test_the_hinge_is_that_of_scikit_learn_for_two_classes():
    scores, classes = torch.randn(20, 2, dtype=torch.float64), torch.randint(2, (20,))
    lead = (scores[:, 1] - scores[:, 0]).numpy()
    # Two scores that differ by d are one decision value d, and the mean over K = 2 classes halves it.
    expected = hinge_loss(classes.numpy(), lead) / 2
    assert build_loss(Hinge())(scores, classes).item() == pytest.approx(expected)


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_the_quantile_loss_is_the_pinball_loss_of_scikit_learn(quantile):
    scores, numbers = torch.randn(30, 1, dtype=torch.float64), torch.randn(30, dtype=torch.float64)
    expected = mean_pinball_loss(numbers.numpy(), scores.squeeze(1).numpy(), alpha=quantile)
    assert build_loss(Quantile(q=quantile))(scores, numbers).item() == pytest.approx(expected)


def test_the_mean_absolute_error_is_that_of_scikit_learn():
    scores, numbers = torch.randn(30, 1, dtype=torch.float64), torch.randn(30, dtype=torch.float64)
    expected = mean_absolute_error(numbers.numpy(), scores.squeeze(1).numpy())
    assert build_loss(Mae())(scores, numbers).item() == pytest.approx(expected)


@pytest.mark.parametrize(("entry", "scale"), [(Huber(delta=0.5), 1.0), (SmoothL1(beta=0.5), 2.0)])
def test_huber_is_squared_near_and_straight_far(entry, scale):
    near = build_loss(entry)(torch.tensor([[0.4]]), torch.tensor([0.0]))
    far = build_loss(entry)(torch.tensor([[3.0]]), torch.tensor([0.0]))
    assert near.item() == pytest.approx(scale * 0.4**2 / 2)
    assert far.item() == pytest.approx(scale * 0.5 * (3.0 - 0.25))


def test_log_cosh_is_itself_near_and_does_not_overflow_far():
    loss = build_loss(LogCosh())
    assert loss(torch.tensor([[1.3]]), torch.tensor([0.0])).item() == pytest.approx(math.log(math.cosh(1.3)), rel=1e-6)
    assert loss(torch.tensor([[1000.0]]), torch.tensor([0.0])).item() == pytest.approx(1000 - math.log(2))


@pytest.mark.parametrize("name", LossEntry.members())
def test_the_gradient_of_a_loss_is_its_slope(name):
    """Against finite differences in float64, away from corners."""
    torch.manual_seed(1)
    entry = LossEntry.members()[name]()
    classify = entry.task == "classification"
    scores = torch.randn(5, 3 if classify else 1, dtype=torch.float64, requires_grad=True)
    wanted = torch.tensor([0, 1, 2, 0, 1]) if classify else torch.randn(5, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda z: build_loss(entry)(z, wanted), scores)
