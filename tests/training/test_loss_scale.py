"""float16: a loss that is scaled, and steps that are skipped where its gradient overflows."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch.nn import functional

from tests.training.test_steps import batches
from training.build import build_model
from training.checkpoint import digest
from training.events import CheckpointDue, Diverged, Points
from training.loss_scale import LossScale

OVERFLOWS = {
    "dataset": {"name": "diabetes"},
    "preprocessing": {"target": {"name": "none"}},
    "model": {"name": "mlp", "hidden": [8]},
    "optimizer": {"name": "sgd", "lr": 1e-3},
    "training": {"precision": "float16", "epochs": 3, "batch_size": 16},
}
"""The target's own numbers are so large that a loss times 2**16 is too large as well."""


def with_training(**fields):
    return {**OVERFLOWS, "training": {**OVERFLOWS["training"], **fields}}


def series_of(run):
    told: dict[str, list[float]] = {}
    for event in run.events():
        if isinstance(event, Points):
            for key, values in event.series.items():
                told.setdefault(key, []).extend(values)
    return told


def plainly(run, clip):
    """What `torch.amp` makes of the run: losses, scales, the norms of the steps that it takes, and the weights."""
    spec = run._spec
    model = build_model(spec.model, run._data.shape, run._data.outputs)
    model.load_state_dict(run.model.state_dict())
    optimizer = torch.optim.SGD(model.parameters(), lr=spec.optimizer.lr)
    scaler = torch.amp.GradScaler("cpu", growth_interval=LossScale.GROWTH_INTERVAL)
    losses, scales, norms = [], [], []
    for x, y in batches(run):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.float16):
            scores = model(x)
        loss = functional.mse_loss(scores.float()[:, 0], y)
        scales.append(scaler.get_scale())
        losses.append(loss.item())
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), clip or math.inf).item())
        scaler.step(optimizer)
        scaler.update()
    return losses, scales, norms, model.state_dict()


@pytest.mark.parametrize("clip", [None, 100.0])
def test_a_run_skips_and_scales_as_torchs_own_scaler_does(make_run, monkeypatch, clip):
    monkeypatch.setattr(LossScale, "GROWTH_INTERVAL", 7)
    run = make_run(**with_training(gradient_clip_norm=clip))
    losses, scales, norms, weights = plainly(copy.copy(run), clip)
    told = series_of(run)
    assert told["train/loss"] == losses
    assert told["loss_scale"] == scales
    assert {math.isfinite(norm) for norm in told["train/grad_norm"]} == {True, False}
    finite = [
        (ours, theirs) for ours, theirs in zip(told["train/grad_norm"], norms, strict=True) if math.isfinite(ours)
    ]
    assert [ours for ours, _ in finite] == pytest.approx([theirs for _, theirs in finite])
    for name, weight in run.model.state_dict().items():
        torch.testing.assert_close(weight, weights[name])


@pytest.mark.parametrize(
    "job",
    [
        with_training(gradient_clip_percentile=50, accumulate_batches=2),
        {**OVERFLOWS, "optimizer": {"name": "muon"}},
        {**OVERFLOWS, "optimizer": {"name": "adabelief"}},
    ],
)
def test_a_skipped_step_changes_no_weight_and_the_run_goes_on(make_run, job):
    run = make_run(**job)
    before = digest(run.model.state_dict())
    events = run.events(flush_seconds=0)
    first = next(event for event in events if isinstance(event, Points))
    assert not math.isfinite(first.series["train/grad_norm"][0])
    assert math.isfinite(first.series["train/loss"][0])
    assert digest(run.model.state_dict()) == before
    list(events)
    assert digest(run.model.state_dict()) != before
    assert all(weight.isfinite().all() for weight in run.model.parameters())


def test_a_run_is_taken_up_with_its_scale_bit_for_bit(make_run, tmp_path, monkeypatch):
    monkeypatch.setattr(LossScale, "GROWTH_INTERVAL", 7)
    job = with_training(checkpoint_every_steps=17)
    whole, left, taken_up = make_run(**job), make_run(**job), make_run(**job)
    wanted = series_of(whole)
    next(event for event in left.events() if isinstance(event, CheckpointDue))
    left.save(tmp_path / "state")
    taken_up.restore(tmp_path / "state")
    assert series_of(taken_up) == {key: values[17:] for key, values in wanted.items()}
    assert taken_up.save_model(tmp_path / "a") == whole.save_model(tmp_path / "b")


def test_a_gradient_that_overflows_however_small_its_loss_ends_the_run(make_run):
    """One step makes the rate that a Poisson loss expects so large that its gradient is beyond float16 for good."""
    run = make_run(
        **{
            **OVERFLOWS,
            "model": {"name": "linear"},
            "loss": {"name": "poisson"},
            "optimizer": {"name": "sgd", "lr": 0.1},
        }
    )
    told = []
    with pytest.raises(Diverged, match=r"overflows even with the loss times 6\.1"):
        told.extend(event for event in run.events() if isinstance(event, Points))
    assert all(math.isfinite(loss) for points in told for loss in points.series["train/loss"])


def test_a_loss_that_is_not_finite_ends_the_run_as_in_every_precision(make_run):
    run = make_run(**{**OVERFLOWS, "optimizer": {"name": "sgd", "lr": 1000.0}})
    with pytest.raises(Diverged, match="train/loss is"):
        list(run.events())
