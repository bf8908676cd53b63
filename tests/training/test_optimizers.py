"""The optimizers that we made or put together, against their formulas."""

import subprocess
import sys

import pytest
import torch
from pydantic import ValidationError

from api_schemas.catalog.optimizers import OptimizerEntry
from api_schemas.errors import InvalidRequest
from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from tests.small import Small
from training.build import evaluate, resolve
from training.optimization import build_optimizer
from training.optimizer_state import load_optimizer, optimizer_state

ENTRIES = OptimizerEntry.members()


def gradients(steps=60):
    return torch.randn(steps, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def descend(entry, steps, rates=None, **form):
    """Weights after each gradient."""
    weight = torch.nn.Parameter(torch.ones(5, dtype=torch.float64))
    optimizer = resolve(entry)([weight], **entry.knobs(), **form)
    path = []
    for step, gradient in enumerate(steps):
        weight.grad = gradient.clone()
        if rates is not None:
            optimizer.param_groups[0]["lr"] = rates[step]
        optimizer.step()
        path.append(weight.detach().clone())
    return torch.stack(path)


@pytest.mark.parametrize("name", [name for name, entry in ENTRIES.items() if entry.form != "plain"])
def test_the_quick_form_takes_the_same_steps_as_the_plain_one(name):
    weight = torch.nn.Parameter(torch.ones(5, dtype=torch.float64))
    quick = build_optimizer(ENTRIES[name](lr=0.01), [weight])
    plain = descend(ENTRIES[name](lr=0.01), gradients(), foreach=False)
    # torch keeps the rate of asgd in single precision.
    tolerance = {"rtol": 1e-7, "atol": 1e-7} if name == "asgd" else {"rtol": 1e-12, "atol": 1e-14}
    for gradient, wanted in zip(gradients(), plain, strict=True):
        weight.grad = gradient.clone()
        quick.step()
        torch.testing.assert_close(weight.detach(), wanted, **tolerance)


def test_adagrad_rms_takes_the_steps_of_its_formula():
    entry = ENTRIES["adagrad_rms"](lr=0.1, eps=1e-10, weight_decay=0.01)
    weight, squares = torch.ones(5, dtype=torch.float64), []
    path = descend(entry, gradients())
    for gradient, reached in zip(gradients(), path, strict=True):
        decayed = gradient + 0.01 * weight
        squares.append(decayed**2)
        weight = weight - 0.1 * decayed / (torch.stack(squares).mean(dim=0).sqrt() + 1e-10)
        torch.testing.assert_close(reached, weight, rtol=1e-12, atol=1e-12)


def test_adagrad_rms_with_a_rate_that_decays_as_the_root_is_torchs_adagrad():
    rates = [0.1 / (step + 1) ** 0.5 for step in range(60)]
    mean_form = descend(ENTRIES["adagrad_rms"](lr=0.1), gradients(), rates)
    torch.testing.assert_close(mean_form, descend(ENTRIES["adagrad"](lr=0.1), gradients()), rtol=1e-9, atol=1e-9)


def test_adagrad_rms_bursts_after_a_long_flat_stretch_where_adagrad_does_not():
    flat_then_steep = torch.cat([torch.full((1000, 5), 1e-3), torch.ones(1, 5)]).double()
    lasts = {}
    for name in ("adagrad", "adagrad_rms"):
        path = descend(ENTRIES[name](lr=1.0), flat_then_steep)
        lasts[name] = (path[-2] - path[-1])[0].item()
    assert lasts["adagrad"] == pytest.approx(1.0, abs=0.01)
    assert lasts["adagrad_rms"] == pytest.approx(31.6, abs=0.1)


def test_lookahead_returns_half_the_way_every_five_steps_of_its_base():
    weight = torch.nn.Parameter(torch.ones(5, dtype=torch.float64))
    base = {"name": "sgd", "lr": 0.1}
    optimizer = evaluate(ENTRIES["lookahead"](k=5, alpha=0.5, base=base).call([weight]))
    slow = fast = torch.ones(5, dtype=torch.float64)
    for step, gradient in enumerate(gradients(20)):
        weight.grad = gradient.clone()
        optimizer.step()
        fast = fast - 0.1 * gradient
        if step % 5 == 4:
            slow = fast = slow + 0.5 * (fast - slow)
        torch.testing.assert_close(weight.detach(), fast, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("adaptive", [False, True])
def test_sam_steps_by_the_gradient_of_the_worst_point_nearby(adaptive):
    """The loss is sum(c w^4) / 4, so the gradient is c w^3."""
    scale, rho, lr = torch.tensor([1.0, 4.0, 0.5], dtype=torch.float64), 0.1, 0.05
    weight = torch.nn.Parameter(torch.tensor([1.0, -0.5, 2.0], dtype=torch.float64))
    base = {"name": "sgd", "lr": lr}
    optimizer = evaluate(ENTRIES["sam"](rho=rho, adaptive=adaptive, base=base).call([weight]))

    def closure():
        weight.grad = scale * weight.detach() ** 3

    by_hand = weight.detach().clone()
    for _ in range(5):
        closure()
        optimizer.step(closure)
        gradient = scale * by_hand**3
        sizes = by_hand.abs() if adaptive else torch.ones(3, dtype=torch.float64)
        worst = by_hand + rho * sizes**2 * gradient / (sizes * gradient).norm()
        by_hand = by_hand - lr * scale * worst**3
        torch.testing.assert_close(weight.detach(), by_hand, rtol=1e-7, atol=0)  # its norm is in single precision


def test_muon_steps_matrices_orthogonally_and_leaves_all_else_to_its_companion():
    small = Small(ENTRIES["muon"](lr=0.02, weight_decay=0.0, companion={"name": "adam", "lr": 0.01}))
    before = {name: weight.detach().clone() for name, weight in small.model.named_parameters()}
    small.train(1)
    steps = {name: weight.detach() - before[name] for name, weight in small.model.named_parameters()}
    stretched = torch.linalg.svdvals(steps["0.weight"]) / (0.02 * (12 / 6) ** 0.5)
    assert stretched.min() > 0.6
    assert stretched.max() < 1.3
    torch.testing.assert_close(steps["3.bias"].abs(), torch.full((3,), 0.01), rtol=1e-3, atol=0)


@pytest.mark.parametrize("name", [name for name, entry in ENTRIES.items() if entry.matrices_flag])
def test_an_optimizer_that_tells_matrices_apart_takes_all_else_at_its_other_rate(name):
    groups = Small(ENTRIES[name](lr=0.02, adamw_lr=0.003)).optimization._parts[0][1].param_groups
    assert {(group["use_muon"], group["lr"]) for group in groups} == {(True, 0.02), (False, 0.003)}


@pytest.mark.parametrize("base", ["lbfgs", "muon", "schedulefreesgd", "adammini", "adahessian", "normuon"])
@pytest.mark.parametrize("around", ["lookahead", "sam"])
def test_a_wrapper_takes_no_base_that_needs_more_than_a_gradient(around, base):
    with pytest.raises(ValidationError, match=f"{base!r} does not"):
        ENTRIES[around](base={"name": base})


def test_a_wrapper_is_no_base_of_another():
    with pytest.raises(ValidationError, match="expected tags"):
        ENTRIES["lookahead"](base={"name": "sam"})


def test_knobs_that_only_fit_together_are_refused_apart():
    with pytest.raises(ValidationError, match="rank must be at least leading_basis"):
        ENTRIES["alice"](rank=8)
    assert ENTRIES["alice"](rank=8, leading_basis=8).rank == 8


def test_sparse_adam_is_refused_as_no_model_has_sparse_gradients():
    spec = JobSpec.model_validate({"dataset": {"name": "iris"}, "optimizer": {"name": "sparse_adam"}})
    with pytest.raises(InvalidRequest) as refused:
        make_plan(spec, None)
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [
        ("/optimizer/name", "needs_sparse_gradients")
    ]


def test_what_an_optimizer_remembers_names_no_class_that_is_not_listed():
    weight = torch.nn.Parameter(torch.ones(5))
    optimizer = torch.optim.SGD([weight])
    state = optimizer_state(optimizer) | {"state": {0: ("object", "subprocess.Popen", {"args": "true"})}}
    with pytest.raises(ValueError, match=r"may not hold a subprocess\.Popen"):
        load_optimizer(optimizer, state)


def test_an_optimizer_that_keeps_what_cannot_be_written_is_refused_when_it_is_saved():
    weight = torch.nn.Parameter(torch.ones(5))
    optimizer = torch.optim.SGD([weight])
    optimizer.state[weight]["socket"] = object()
    with pytest.raises(TypeError, match=r"cannot hold a builtins\.object"):
        optimizer_state(optimizer)


NAMED_ONE = """
from api_schemas.catalog.optimizers import LibraryOptimizer
from api_schemas.jobs import JobSpec
JobSpec.model_validate({"dataset": {"name": "iris"}, "optimizer": {"name": "adabelief"}})
assert [entry.__name__ for entry in LibraryOptimizer.__subclasses__()] == ["AdaBelief"]
"""


def test_a_library_optimizer_is_made_ready_only_when_a_job_names_it():
    done = subprocess.run([sys.executable, "-c", NAMED_ONE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
