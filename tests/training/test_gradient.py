"""The gradient in its three forms, and what clips it."""

import numpy as np
import pytest
import torch

from training.gradient import DifferentiableGradient, Gradient, LooseGradient, NormHistory

FORMS = pytest.mark.parametrize("form", [Gradient, LooseGradient, DifferentiableGradient])


def weights():
    torch.manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape, dtype=torch.float64)) for shape in ((3, 2), (2,))]


def loss_of(weights):
    return (weights[0] ** 4).sum() + (weights[0].sum() * weights[1] ** 2).sum()


def taken(form):
    held = weights()
    gradient = form(held)
    gradient.clear()
    gradient.add(loss_of(held))
    gradient.add(loss_of(held))
    return held, gradient


def by_torch():
    held = weights()
    (2 * loss_of(held)).backward()
    return held


@FORMS
def test_gradients_add_up_until_they_are_cleared(form):
    held, gradient = taken(form)
    for weight, wanted in zip(held, by_torch(), strict=True):
        torch.testing.assert_close(weight.grad, wanted.grad)
    gradient.clear()
    gradient.add(loss_of(held))
    torch.testing.assert_close(2 * held[0].grad, by_torch()[0].grad)


@FORMS
@pytest.mark.parametrize("longest", [0.5, 1e6])
def test_a_gradient_is_shortened_as_torch_does(form, longest):
    held, gradient = taken(form)
    plain = by_torch()
    norm = torch.nn.utils.clip_grad_norm_(plain, longest)
    torch.testing.assert_close(gradient.norm(), norm)
    gradient.shorten(gradient.norm(), longest)
    for weight, wanted in zip(held, plain, strict=True):
        torch.testing.assert_close(weight.grad, wanted.grad)


@FORMS
def test_a_gradient_is_clamped_as_torch_does(form):
    held, gradient = taken(form)
    plain = by_torch()
    torch.nn.utils.clip_grad_value_(plain, 0.7)
    gradient.clamp(0.7)
    for weight, wanted in zip(held, plain, strict=True):
        torch.testing.assert_close(weight.grad, wanted.grad)


def test_clipping_leaves_the_curvature_as_it_is():
    held, gradient = taken(DifferentiableGradient)
    gradient.shorten(gradient.norm(), 0.1)
    (curvature,) = torch.autograd.grad(held[0].grad.sum(), held[0])
    whole = by_torch()
    (first,) = torch.autograd.grad(2 * loss_of(whole), whole[0], create_graph=True)
    (wanted,) = torch.autograd.grad(first.sum(), whole[0])
    torch.testing.assert_close(curvature, wanted)


def test_the_threshold_is_a_percentile_of_the_last_thousand_norms():
    norms = np.random.default_rng(0).random(1500)
    history = NormHistory(35.0, torch.empty(0, dtype=torch.float64))
    found = [history.add(torch.tensor(norm)).item() for norm in norms]
    wanted = [np.percentile(norms[max(0, last - 1000) : last], 35) for last in range(1, 1501)]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
