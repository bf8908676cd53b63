"""Averages of weights, against torch's own run plainly."""

import copy

import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

from tests.training.test_steps import TRAINING, batches, functional, sgd
from training.averaging import refresh_batch_statistics
from training.events import Evaluation

NORMED = {"name": "mlp", "hidden": [8], "normalization": {"name": "batch_norm"}, "dropout": 0.2}
AVERAGES = {
    "ema": ({"name": "ema", "decay": 0.8}, range(1, 25), get_ema_multi_avg_fn(0.8)),
    "ema, late": ({"name": "ema", "decay": 0.8, "start": 0.5}, range(12, 25), get_ema_multi_avg_fn(0.8)),
    "swa": ({"name": "swa", "start": 0.5}, (16, 24), None),
    "swa by steps": ({"name": "swa", "start": 0.2, "every": 5, "unit": "step"}, (5, 10, 15, 20), None),
}


@pytest.mark.parametrize("name", AVERAGES)
def test_the_average_is_judged_and_kept_with_its_own_batch_statistics(make_run, name):
    spec, turns, rule = AVERAGES[name]
    run = make_run(
        model=NORMED, optimizer={"name": "sgd", "lr": 0.1, "momentum": 0.9}, training={**TRAINING, "averaging": spec}
    )
    torch.manual_seed(0)
    run._random = {"cpu": torch.get_rng_state()}  # dropout in the reference draws the same
    model = copy.deepcopy(run.model)
    averaged, (optimizer,) = AveragedModel(model, multi_avg_fn=rule), sgd(model)
    for step, (x, y) in enumerate(batches(run), 1):
        optimizer.zero_grad()
        functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        if step in turns:
            averaged.update_parameters(model)
    for module in averaged.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # update_bn would drop inputs; the statistics are of all of them
    update_bn([x for x, _ in list(batches(run))[:8]], averaged)
    judged = [event for event in run.events() if isinstance(event, Evaluation)][-1].values["val/loss"]
    x, y = run._data.validation.x, run._data.validation.y
    assert judged == pytest.approx(functional.cross_entropy(averaged.eval()(x), y).item(), rel=1e-9)
    with run._judged_model() as kept:
        for weight, value in averaged.module.state_dict().items():
            torch.testing.assert_close(kept.state_dict()[weight], value, rtol=1e-8, atol=1e-12, msg=weight)


def test_averaging_leaves_the_training_as_it_is(make_run):
    plain, averaged = (
        make_run(model=NORMED, training={**TRAINING, **more}) for more in ({}, {"averaging": {"name": "ema"}})
    )
    list(plain.events())
    list(averaged.events())
    for name, value in plain.model.state_dict().items():
        assert torch.equal(value, averaged.model.state_dict()[name])


def test_refreshing_statistics_draws_nothing_and_leaves_the_mode():
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.BatchNorm1d(3, momentum=0.2))
    before = torch.get_rng_state()
    inputs = torch.arange(24.0).view(8, 3)
    refresh_batch_statistics(model, inputs.split(4))
    assert torch.equal(torch.get_rng_state(), before)
    assert model.training
    assert model[0].training
    assert model[1].training
    assert model[1].momentum == 0.2
    torch.testing.assert_close(model[1].running_mean, inputs.mean(0))
    torch.testing.assert_close(model[1].running_var, torch.full((3,), 15.0))  # of 0, 3, 6, 9
