"""Every activation of the catalog is the one of its formula."""

from __future__ import annotations

import inspect
import math

import pytest
import torch

from api_schemas.catalog.activations import ActivationEntry
from training.build import build, resolve

NORMAL = torch.distributions.Normal(0.0, 1.0)

FORMULAS = {
    "celu": lambda x: x if x > 0 else math.exp(x) - 1,
    "elu": lambda x: x if x > 0 else math.exp(x) - 1,
    "gelu": lambda x: x * NORMAL.cdf(torch.tensor(x)).item(),
    "hardtanh": lambda x: min(max(x, -1), 1),
    "hardswish": lambda x: x * min(max(x + 3, 0), 6) / 6,
    "identity": lambda x: x,
    "leaky_relu": lambda x: max(0, x) + 0.01 * min(0, x),
    "mish": lambda x: x * math.tanh(math.log(1 + math.exp(x))),
    "prelu": lambda x: max(0, x) + 0.25 * min(0, x),
    "relu": lambda x: max(0, x),
    "relu6": lambda x: min(max(0, x), 6),
    "selu": lambda x: 1.0507 * (x if x > 0 else 1.6733 * (math.exp(x) - 1)),
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "silu": lambda x: x / (1 + math.exp(-x)),
    "softplus": lambda x: math.log(1 + math.exp(x)),
    "softsign": lambda x: x / (1 + abs(x)),
    "tanh": math.tanh,
}


@pytest.mark.parametrize("name", sorted(set(ActivationEntry.members()) - {"softmax"}))
def test_an_activation_bends_as_its_formula_says(name):
    points = [-7.0, -2.5, -0.3, 0.0, 0.3, 2.5, 7.0]
    bent = build(ActivationEntry.members()[name]())(torch.tensor(points)).tolist()
    assert bent == pytest.approx([FORMULAS[name](point) for point in points], abs=2e-4)


def test_a_softmax_is_over_the_units_of_a_row_and_the_channels_of_a_place():
    layer = build(ActivationEntry.members()["softmax"]())
    assert layer(torch.tensor([[0.0, math.log(3)]])).tolist() == [pytest.approx([0.25, 0.75])]
    assert torch.allclose(layer(torch.randn(2, 5, 4, 4)).sum(dim=1), torch.ones(2, 4, 4))


@pytest.mark.parametrize("name", ActivationEntry.members())
def test_the_knobs_of_an_activation_are_those_of_its_target(name):
    entry = ActivationEntry.members()[name]()
    assert set(entry.knobs()) <= set(inspect.signature(resolve(entry)).parameters)
