"""Every normalization is the one of its formula, worked out again without it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from api_schemas.catalog.layers import convolution, linear
from api_schemas.catalog.normalizations import NormalizationEntry
from training.build import evaluate
from training.normalizations import (
    BatchRenorm,
    ChannelRmsNorm,
    DynamicTanh,
    GhostBatchNorm,
    SyncBatchNorm,
    weight_standardization,
)

ROWS, WIDTH = 24, 8
EPS = 1e-3


def rows(*, spatial, seed=0):
    """Inputs (rows, features), or images (rows, channels, 3, 2), whose features have sizes and means of their own."""
    size = (ROWS, WIDTH, 3, 2) if spatial else (ROWS, WIDTH)
    drawn = np.random.default_rng(seed).normal(size=size)
    along = (-1, 1, 1) if spatial else (-1,)
    return drawn * np.geomspace(0.1, 10, WIDTH).reshape(along) + np.arange(WIDTH).reshape(along)


def layer_of(name, *, spatial, **knobs):
    """The layer of a catalog entry in float64, its gamma and beta drawn."""
    entry = NormalizationEntry.find(name).model_validate({"name": name, **knobs})
    layer = evaluate(entry.layer(WIDTH, 2 * spatial)).double()
    torch.manual_seed(1)
    for weight in (layer.weight, getattr(layer, "bias", None)):
        if weight is not None:
            nn.init.normal_(weight)
    return layer


def standardised(x, over):
    """Mean 0 and variance 1 over these dimensions, but for eps."""
    return (x - x.mean(axis=over, keepdims=True)) / np.sqrt(x.var(axis=over, keepdims=True) + EPS)


def grouped(x, groups):
    return standardised(x.reshape(ROWS, groups, -1), (2,)).reshape(x.shape)


def by_batch(x):
    return standardised(x, tuple(dimension for dimension in range(x.ndim) if dimension != 1))


FORMULAS = {
    "batch_norm": by_batch,
    "batch_renorm": by_batch,
    "ghost_batch_norm": lambda x: np.concatenate([by_batch(x[:12]), by_batch(x[12:])]),
    "sync_batch_norm": by_batch,
    "layer_norm": lambda x: grouped(x, 1),
    "rms_norm": lambda x: x / np.sqrt(np.mean(x**2, axis=tuple(range(1, x.ndim)), keepdims=True) + EPS),
    "group_norm": lambda x: grouped(x, 4),
    "instance_norm": lambda x: grouped(x, WIDTH),
    "dynamic_tanh": lambda x: np.tanh(0.5 * x),
}
KNOBS = {"ghost_batch_norm": {"ghost_rows": 12}, "group_norm": {"groups": 4}}


PLACES = [(name, spatial) for name in FORMULAS for spatial in (False, True) if spatial or name != "instance_norm"]


@pytest.mark.parametrize(("name", "spatial"), PLACES)
def test_a_normalization_in_training_is_its_formula(name, spatial):
    eps = {} if name == "dynamic_tanh" else {"eps": EPS}
    layer = layer_of(name, spatial=spatial, **eps, **KNOBS.get(name, {}))
    x = rows(spatial=spatial)
    gamma, beta = (
        0.0 if weight is None else weight.detach().numpy().reshape((-1, 1, 1) if spatial else -1)
        for weight in (layer.weight, getattr(layer, "bias", None))
    )
    np.testing.assert_allclose(
        layer(torch.tensor(x)).detach().numpy(), FORMULAS[name](x) * gamma + beta, rtol=1e-12, atol=1e-12
    )


def test_every_normalization_of_outputs_has_its_formula_here():
    outputs = {name for name, entry in NormalizationEntry.members().items() if entry().layer(WIDTH, 2)}
    assert outputs == set(FORMULAS)


@pytest.mark.parametrize("spatial", [False, True], ids=["rows", "images"])
@pytest.mark.parametrize("name", ["batch_norm", "sync_batch_norm"])
def test_batch_norm_trains_and_tests_as_pytorchs_function_and_by_hand(name, spatial):
    layer = layer_of(name, spatial=spatial, momentum=0.3)
    mean, var = torch.zeros(WIDTH, dtype=torch.float64), torch.ones(WIDTH, dtype=torch.float64)
    mean_by_hand, var_by_hand = np.zeros(WIDTH), np.ones(WIDTH)
    over = (0, 2, 3) if spatial else (0,)
    for seed in range(5):
        x = rows(spatial=spatial, seed=seed)
        trained = functional.batch_norm(torch.tensor(x), mean, var, layer.weight, layer.bias, True, 0.3, 1e-5)
        torch.testing.assert_close(layer(torch.tensor(x)), trained, rtol=1e-12, atol=1e-12)
        mean_by_hand = 0.7 * mean_by_hand + 0.3 * x.mean(axis=over)
        var_by_hand = 0.7 * var_by_hand + 0.3 * x.var(axis=over, ddof=1)  # what is kept is the unbiased variance
    np.testing.assert_allclose(layer.running_mean.numpy(), mean_by_hand, rtol=1e-12)
    np.testing.assert_allclose(layer.running_var.numpy(), var_by_hand, rtol=1e-12)
    x = torch.tensor(rows(spatial=spatial, seed=9))
    tested = functional.batch_norm(x, mean, var, layer.weight, layer.bias, False, 0.3, 1e-5)
    torch.testing.assert_close(layer.eval()(x), tested, rtol=1e-12, atol=1e-12)


class RenormByHand:
    """Ioffe 2017, algorithm 1, in its own letters and NumPy; the bounds relax as its section 4 has them."""

    def __init__(self, alpha, r_max, d_max, warmup, r_steps, d_steps):
        self.mu, self.sigma, self.steps = np.zeros(WIDTH), np.full(WIDTH, np.sqrt(1 + EPS)), 0
        self.alpha, self.bounds, self.warmup = alpha, ((1, r_max, r_steps), (0, d_max, d_steps)), warmup

    def train(self, x):
        mu_b, sigma_b = x.mean(axis=0), np.sqrt(EPS + x.var(axis=0))
        r_max, d_max = (
            np.interp(self.steps, [self.warmup, reached], [first, last]) for first, last, reached in self.bounds
        )
        r = np.clip(sigma_b / self.sigma, 1 / r_max, r_max)
        d = np.clip((mu_b - self.mu) / self.sigma, -d_max, d_max)
        self.mu += self.alpha * (mu_b - self.mu)
        self.sigma += self.alpha * (sigma_b - self.sigma)
        self.steps += 1
        return (x - mu_b) / sigma_b * r + d, r

    def test(self, x):
        return (x - self.mu) / self.sigma


RENORM = {"r_max": 3.0, "d_max": 5.0, "warmup_steps": 3, "r_max_steps": 12, "d_max_steps": 8}


def test_batch_renorm_follows_the_paper_step_by_step():
    layer = BatchRenorm(WIDTH, momentum=0.1, eps=EPS, **RENORM).double()
    paper = RenormByHand(0.1, 3.0, 5.0, 3, 12, 8)
    for seed in range(20):
        x = rows(spatial=False, seed=seed)
        wanted, _ = paper.train(x)
        np.testing.assert_allclose(layer(torch.tensor(x)).detach().numpy(), wanted, rtol=1e-10, atol=1e-12)
    x = rows(spatial=False, seed=99)
    np.testing.assert_allclose(layer.eval()(torch.tensor(x)).detach().numpy(), paper.test(x), rtol=1e-10, atol=1e-12)


def test_batch_renorm_lets_no_gradient_through_its_correction():
    layer, plain = BatchRenorm(WIDTH, 0.1, EPS, **RENORM).double(), nn.BatchNorm1d(WIDTH, EPS).double()
    paper = RenormByHand(0.1, 3.0, 5.0, 3, 12, 8)
    for seed in range(9):
        x = torch.tensor(rows(spatial=False, seed=seed), requires_grad=True)
        weights = torch.tensor(rows(spatial=False, seed=seed + 100))
        (gradient,) = torch.autograd.grad((layer(x) * weights).sum(), x)
        (uncorrected,) = torch.autograd.grad((plain(x) * weights).sum(), x)
        _, r = paper.train(x.detach().numpy())
    torch.testing.assert_close(gradient, uncorrected * torch.tensor(r), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("spatial", [False, True], ids=["rows", "images"])
def test_ghost_batch_norm_is_batch_norm_of_one_part_after_the_other(spatial):
    layer = GhostBatchNorm(WIDTH, 0.1, 1e-5, ghost_rows=7).double()
    plain = (nn.BatchNorm2d if spatial else nn.BatchNorm1d)(WIDTH).double()
    x = torch.tensor(rows(spatial=spatial))
    parts = [plain(part) for part in x.split(8)]  # 24 rows hold three parts of at least 7
    torch.testing.assert_close(layer(x), torch.cat(parts), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(layer.running_mean, plain.running_mean, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(layer.running_var, plain.running_var, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(layer.eval()(x), plain.eval()(x), rtol=1e-12, atol=1e-12)


def test_no_ghost_is_a_single_row():
    layer = GhostBatchNorm(WIDTH, 0.1, 1e-5, ghost_rows=2)
    for count in range(2, 12):
        assert torch.isfinite(layer(torch.randn(count, WIDTH))).all()


@pytest.mark.parametrize(
    "layer",
    [
        BatchRenorm(3, 0.1, EPS, 3.0, 5.0, warmup_steps=10**6, r_max_steps=10**6, d_max_steps=10**6),
        GhostBatchNorm(3, 0.1, EPS, ghost_rows=2),
        ChannelRmsNorm(3, EPS),
        DynamicTanh(3, 0.5),
        weight_standardization(nn.Conv2d(3, 2, 2), scaled=True, eps=EPS),
        weight_standardization(nn.Conv2d(3, 2, 2), scaled=False, eps=EPS),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_the_gradient_is_that_of_finite_differences(layer):
    layer = layer.double()
    x = torch.tensor(np.random.default_rng(0).normal(size=(5, 3, 2, 2)), requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, *_: layer(x), (x, *layer.parameters()))


@pytest.mark.parametrize("layer", [linear(6, 4), convolution(3, 4, 3, (1, 1))], ids=["linear", "convolution"])
def test_a_weight_is_normalised_as_the_formula_says(layer):
    made = {}
    for name in ("weight_norm", "spectral_norm", "weight_standardization"):
        torch.manual_seed(0)
        made[name] = evaluate(NormalizationEntry.find(name)().wrap(layer))
    parts = dict(made["weight_norm"].named_parameters())
    v = parts["parametrizations.weight.original1"].flatten(1)
    with torch.no_grad():
        parts["parametrizations.weight.original0"].mul_(3.0)
    g = parts["parametrizations.weight.original0"].flatten(1)
    wanted = g * v / v.norm(dim=1, keepdim=True)
    torch.testing.assert_close(made["weight_norm"].weight.flatten(1), wanted)
    for _ in range(200):
        spectral = made["spectral_norm"].weight
    assert torch.linalg.matrix_norm(spectral.flatten(1), ord=2).item() == pytest.approx(1, abs=1e-4)
    standard = made["weight_standardization"].weight.flatten(1).detach().numpy()
    raw = dict(made["weight_standardization"].named_parameters())["parametrizations.weight.original"]
    raw = raw.flatten(1).detach().numpy()
    by_hand = (raw - raw.mean(1, keepdims=True)) / np.sqrt(raw.var(1, keepdims=True) + 1e-5) / raw.shape[1] ** 0.5
    np.testing.assert_allclose(standard, by_hand, rtol=1e-5, atol=1e-6)


ONE_OF_TWO = """
import sys
import torch
from torch import distributed
from training.normalizations import SyncBatchNorm

place, folder = int(sys.argv[1]), sys.argv[2]
distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=place, world_size=2)
given = torch.load(f"{folder}/given.pt")
layer = SyncBatchNorm(given["x"][0].shape[1], momentum=0.3, eps=1e-5).double()
x = given["x"][place].requires_grad_()
y = layer(x)
(y * given["weights"][place]).sum().backward()
for weight in layer.parameters():
    distributed.all_reduce(weight.grad)
told = {"y": y.detach(), "x": x.grad, "weight": layer.weight.grad, "bias": layer.bias.grad}
torch.save(told | {"mean": layer.running_mean, "var": layer.running_var}, f"{folder}/{place}.pt")
distributed.destroy_process_group()
"""


def test_two_processes_normalise_as_one_with_the_whole_batch(tmp_path):
    x, weights = (torch.tensor(rows(spatial=True, seed=seed)) for seed in (0, 1))
    shares = [15, ROWS - 15]  # not the same number of rows each
    torch.save({"x": x.split(shares), "weights": weights.split(shares)}, tmp_path / "given.pt")
    trainers = [subprocess.Popen([sys.executable, "-c", ONE_OF_TWO, str(place), str(tmp_path)]) for place in (0, 1)]
    assert [trainer.wait(timeout=120) for trainer in trainers] == [0, 0]
    told = [torch.load(tmp_path / f"{place}.pt") for place in (0, 1)]

    alone = nn.BatchNorm2d(WIDTH, momentum=0.3).double()
    x.requires_grad_()
    y = alone(x)
    (y * weights).sum().backward()
    wanted = {"weight": alone.weight.grad, "bias": alone.bias.grad, "mean": alone.running_mean}
    for key, value in (wanted | {"var": alone.running_var}).items():
        for process in told:
            torch.testing.assert_close(process[key], value, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(torch.cat([process["y"] for process in told]), y, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(torch.cat([process["x"] for process in told]), x.grad, rtol=1e-10, atol=1e-10)


def test_sync_batch_norm_alone_is_batch_norm():
    x = torch.tensor(rows(spatial=False))
    synced, plain = SyncBatchNorm(WIDTH, 0.1, 1e-5).double(), nn.BatchNorm1d(WIDTH).double()
    assert torch.equal(synced(x), plain(x))
    assert torch.equal(synced.running_var, plain.running_var)
