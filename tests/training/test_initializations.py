"""Every initialization gives the weights that its formula promises."""

from __future__ import annotations

import math

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.utils import parametrizations

from api_schemas.catalog.initializations import InitializationEntry
from api_schemas.catalog.layers import InputShape
from api_schemas.catalog.models import Cnn, Mlp
from training.build import build_model, evaluate, initialize

SLOPE = 0.5
STDS = {
    "he_normal": lambda fan_in, _: math.sqrt(2 / ((1 + SLOPE**2) * fan_in)),
    "he_uniform": lambda fan_in, _: math.sqrt(2 / ((1 + SLOPE**2) * fan_in)),
    "lecun_normal": lambda fan_in, _: math.sqrt(1 / fan_in),
    "xavier_normal": lambda fan_in, fan_out: math.sqrt(2 / (fan_in + fan_out)),
    "xavier_uniform": lambda fan_in, fan_out: math.sqrt(2 / (fan_in + fan_out)),
    "normal": lambda *_: 0.01,
    "zeros": lambda *_: 0.0,
    "constant": lambda *_: 0.0,
}


def initialized(name, layer, **knobs):
    """A network of this one layer, set by an entry of the catalog."""
    torch.manual_seed(0)
    entry = InitializationEntry.find(name).model_validate({"name": name, **knobs})
    model = nn.Sequential(layer)
    evaluate(entry.start(model, torch.randn(256, 300), slope=SLOPE))
    return layer


@pytest.mark.parametrize("name", STDS)
@pytest.mark.parametrize("kind", ["linear", "convolution"])
def test_weights_have_the_spread_of_the_formula_and_biases_are_zero(name, kind):
    layer = nn.Linear(300, 200) if kind == "linear" else nn.Conv2d(30, 80, 5)
    fans = (300, 200) if kind == "linear" else (30 * 25, 80 * 25)
    weight = initialized(name, layer).weight.detach()
    assert weight.std().item() == pytest.approx(STDS[name](*fans), rel=0.02, abs=1e-7)
    assert weight.mean().item() == pytest.approx(0.1 if name == "constant" else 0.0, abs=1e-3)
    assert (layer.bias == 0).all()


@pytest.mark.parametrize("name", ["he_uniform", "xavier_uniform"])
def test_a_uniform_one_ends_at_its_bound(name):
    weight = initialized(name, nn.Linear(300, 200)).weight
    assert weight.abs().max().item() == pytest.approx(STDS[name](300, 200) * math.sqrt(3), rel=1e-3)


@pytest.mark.parametrize("layer", [nn.Linear(30, 20), nn.Linear(20, 30), nn.Conv2d(5, 40, 3)], ids=str)
def test_orthogonal_weights_are_orthonormal_times_their_gain(layer):
    weight = initialized("orthogonal", layer, gain=2.0).weight.detach().flatten(1)
    short = weight if weight.shape[0] < weight.shape[1] else weight.T
    torch.testing.assert_close(short @ short.T, 4 * torch.eye(len(short)), rtol=0, atol=1e-5)


def test_the_default_leaves_the_layers_as_pytorch_made_them():
    model = nn.Linear(3, 2)
    before = model.weight.clone()
    assert torch.equal(initialized("default", model).weight, before)


@pytest.mark.parametrize("norm", ["weight_norm", "spectral_norm"])
def test_a_normalised_weight_is_set_through_its_normalization(norm):
    layer = getattr(parametrizations, norm)(nn.Linear(300, 200))
    weight = initialized("he_normal", layer).weight.detach()
    if norm == "weight_norm":
        assert weight.std().item() == pytest.approx(STDS["he_normal"](300, 200), rel=0.02)
    else:
        assert torch.linalg.matrix_norm(weight, ord=2).item() == pytest.approx(1, abs=0.1)


def test_he_keeps_the_signal_through_twenty_layers_of_relu_and_xavier_loses_it():
    rows = torch.randn(256, 128, generator=torch.Generator().manual_seed(0))
    sizes = {}
    for name in ("he_normal", "xavier_normal"):
        torch.manual_seed(0)
        entry = Mlp.model_validate({"name": "mlp", "hidden": [128] * 20, "initialization": {"name": name}})
        model = build_model(entry, InputShape(128), 1)
        initialize(entry, model, rows)
        sizes[name] = model[:-1](rows).square().mean().item()
    assert 0.2 < sizes["he_normal"] < 5
    assert sizes["xavier_normal"] == pytest.approx(sizes["he_normal"] * 2**-20, rel=1e-3)


@pytest.mark.parametrize("activation", ["relu", "tanh", "selu"])
@pytest.mark.parametrize("normalization", ["none", "batch_norm", "weight_norm"])
@pytest.mark.parametrize("kind", [Mlp, Cnn], ids=["mlp", "cnn"])
def test_lsuv_gives_every_layer_outputs_of_variance_one(kind, activation, normalization):
    torch.manual_seed(0)
    entry = kind.model_validate(
        {
            "name": kind.model_fields["name"].default,
            "activation": {"name": activation},
            "normalization": {"name": normalization},
            "initialization": {"name": "lsuv", "tolerance": 0.01},
        }
    )
    model = build_model(entry, InputShape(64, (1, 8, 8)), 10)
    rows = torch.tensor(load_digits().data / 16, dtype=torch.float32)
    initialize(entry, model, rows)
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers() if "running" in name}
    assert all((buffer == ("var" in name)).all() for name, buffer in buffers.items())  # it leaves no trace in them
    seen = rows[:256]
    for layer in model:
        seen = layer(seen)
        if isinstance(layer, nn.Linear | nn.Conv2d):
            assert seen.var().item() == pytest.approx(1, abs=0.011)
