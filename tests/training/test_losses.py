"""The losses against torch's own and against numbers worked out by hand."""

import pytest
import torch
from torch.nn import functional

from api_schemas.catalog.losses import CrossEntropy, Mse, MseSoftmax
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
