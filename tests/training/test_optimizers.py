"""Every optimizer of the catalog, and the one that torch lacks against its formula."""

import inspect

import pytest
import torch

from api_schemas.catalog.optimizers import OptimizerEntry
from training.build import resolve
from training.optimization import build_optimizer
from training.loop import Points

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


@pytest.mark.parametrize("name", ENTRIES)
def test_the_knobs_of_an_entry_are_arguments_of_its_target(name):
    known = inspect.signature(resolve(ENTRIES[name]())).parameters
    assert set(ENTRIES[name]().knobs()) <= set(known)
    for knob, value in ENTRIES[name]().knobs().items():
        if known[knob].default is not inspect.Parameter.empty and knob != "lr":
            assert value == known[knob].default, f"{knob} has another default in torch"


@pytest.mark.parametrize("name", ENTRIES)
def test_the_quick_form_takes_the_same_steps_as_the_plain_one(name):
    weight = torch.nn.Parameter(torch.ones(5, dtype=torch.float64))
    quick = build_optimizer(ENTRIES[name](lr=0.01), [weight])
    plain = descend(ENTRIES[name](lr=0.01), gradients(), foreach=False)
    for gradient, wanted in zip(gradients(), plain, strict=True):
        weight.grad = gradient.clone()
        quick.step()
        torch.testing.assert_close(weight.detach(), wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ENTRIES)
def test_every_optimizer_makes_the_loss_fall(make_run, name):
    knobs = {} if "adagrad" not in name else {"lr": 0.05}
    run = make_run(optimizer={"name": name, **knobs}, training={"epochs": 40, "batch_size": 16})
    losses = [loss for event in run.events() if isinstance(event, Points) for loss in event.series["train/loss"]]
    assert sum(losses[-8:]) / 8 < 0.5 * losses[0]


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
