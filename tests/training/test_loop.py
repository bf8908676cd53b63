"""A run, as whoever reads its events sees it."""

import itertools
import math

import numpy as np
import pytest
import torch
from sklearn import datasets as sklearn_datasets
from sklearn.metrics import mean_absolute_error, r2_score
from torch.nn import functional

from api_schemas.catalog.schedule_entry import Factors
from training.loop import CheckpointDue, Diverged, Evaluation, Points

ON_RAW = {
    "dataset": {"name": "badly_scaled", "ratio": 10.0},
    "preprocessing": {"numeric": {"name": "none"}, "target": {"name": "none"}},
    "model": {"name": "linear"},
}


def curves(events):
    """Each series as one list, its pieces checked to follow each other."""
    joined = {}
    for points in (event for event in events if isinstance(event, Points)):
        assert {len(values) for values in points.series.values()} == {len(points.series["lr"])}
        for key, values in points.series.items():
            assert len(joined.setdefault(key, [])) == points.first_step
            joined[key] += values
    return joined


def evaluations(events):
    return [event for event in events if isinstance(event, Evaluation)]


def until_diverged(run, flush_seconds=0.1):
    """What was told, and the end that it came to."""
    events = []
    try:
        for event in run.events(flush_seconds):
            events.append(event)  # noqa: PERF402 - those before the error are wanted
    except Diverged as diverged:
        return events, diverged
    raise AssertionError("it did not diverge")


def test_the_default_job_on_digits_learns_to_read(make_run):
    events = list(make_run(dataset={"name": "digits"}).events())
    assert evaluations(events)[-1].values["val/accuracy"] >= 0.96


def test_losses_equal_those_of_a_plain_torch_loop(make_run):
    """The loop is written out again with nothing of ours but the tensors and the row order's recipe."""
    run = make_run(
        dataset={"name": "wine"},
        model={"name": "mlp", "hidden": [16, 8], "normalization": {"name": "batch_norm"}, "dropout": 0.2},
        optimizer={"name": "adamw", "lr": 0.01},
        schedule=[{"name": "linear_warmup", "steps": 5}, {"name": "cosine"}],
        training={"epochs": 4, "batch_size": 32, "seed": 3, "gradient_clip_norm": 1.0},
    )
    data = run._data
    torch.manual_seed(3)
    layers = []
    for width_in, width in ((13, 16), (16, 8)):
        layers += [
            torch.nn.Linear(width_in, width),
            torch.nn.BatchNorm1d(width),
            torch.nn.ReLU(),
            torch.nn.Dropout(0.2),
        ]
    model = torch.nn.Sequential(*layers, torch.nn.Linear(8, 3))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    rates = [0.01 * (0.01 + 0.99 * step / 5) for step in range(5)]
    rates += [0.01 * (1 + math.cos(math.pi * step / 15)) / 2 for step in range(15)]
    losses, norms = [], []
    for epoch in range(4):
        for rows in torch.from_numpy(np.random.default_rng([3, epoch]).permutation(142)).split(32):
            optimizer.param_groups[0]["lr"] = rates[len(losses)]
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(data.train.x[rows]), data.train.y[rows])
            loss.backward()
            norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).item())
            optimizer.step()
            losses.append(loss.item())
    found = curves(run.events())
    np.testing.assert_allclose(found["train/loss"], losses, rtol=2e-5)
    np.testing.assert_allclose(found["train/grad_norm"], norms, rtol=2e-5)
    np.testing.assert_allclose(found["lr"], rates, rtol=1e-12)


def test_least_squares_is_reached_by_gradient_descent(make_run):
    """Efron et al. 2004: least squares on all of diabetes has R2 0.5177."""
    events = list(
        make_run(
            dataset={"name": "diabetes"},
            split={"validation": 0.0},
            model={"name": "linear"},
            optimizer={"name": "sgd", "lr": 0.1, "momentum": 0.95},
            training={"epochs": 400, "batch_size": 442, "precision": "float64"},
        ).events()
    )
    assert evaluations(events) == []
    # The target is standardised, so its mean square is 1 and the loss is 1 - R2.
    assert 1 - curves(events)["train/loss"][-1] == pytest.approx(0.5177, abs=1e-4)


def test_regression_metrics_are_in_the_targets_own_units(make_run):
    run = make_run(dataset={"name": "diabetes"}, split={"test": 0.2}, training={"epochs": 3})
    last = evaluations(run.events())[-1].values
    for name, part in (("val", run._data.validation), ("test", run._data.test)):
        with torch.no_grad():
            predicted = run.model.eval()(part.x).numpy()
        unscale = run._data.preparation.target.inverse
        wanted, guessed = unscale(part.y.numpy()[:, None]), unscale(predicted)
        assert last[f"{name}/mae"] == pytest.approx(mean_absolute_error(wanted, guessed), rel=1e-5)
        assert last[f"{name}/r2"] == pytest.approx(r2_score(wanted, guessed), rel=1e-5)
        assert wanted.min() >= sklearn_datasets.load_diabetes().target.min() - 1e-3


def test_every_step_has_its_points_and_the_rate_of_its_schedule(make_run):
    schedule = [{"name": "linear_warmup", "epochs": 1}, {"name": "step", "every": 2}]
    run = make_run(schedule=schedule, optimizer={"name": "sgd", "lr": 0.5}, training={"epochs": 6, "batch_size": 16})
    found = curves(run.events())
    plan = run._plan
    assert plan.total_steps == 48 == run.steps_done == len(found["train/loss"])
    factors = Factors(plan.spec.schedule, 48, 8)
    assert found["lr"] == [0.5 * factors(step) for step in range(48)]


def test_the_first_step_is_told_at_once(make_run):
    first = next(iter(make_run().events(flush_seconds=1e9)))
    assert isinstance(first, Points)
    assert (first.first_step, len(first.series["lr"])) == (0, 1)


def test_judging_happens_when_asked_and_at_the_end_where_the_test_rows_judge_too(make_run):
    training = {"epochs": 7, "batch_size": 16, "evaluate_every_epochs": 3, "checkpoint_every_steps": 10}
    events = list(make_run(split={"test": 0.2}, training=training).events())
    judged = evaluations(events)
    steps_per_epoch = 6  # 90 training rows
    assert [event.step for event in judged] == [epoch * steps_per_epoch - 1 for epoch in (3, 6, 7)]
    assert [sorted(event.values) for event in judged[:2]] == [["val/accuracy", "val/loss"]] * 2
    assert sorted(judged[2].values) == ["test/accuracy", "test/loss", "val/accuracy", "val/loss"]
    assert [event.step for event in events if isinstance(event, CheckpointDue)] == [10, 20, 30, 40]


def test_points_are_told_before_what_stands_on_them(make_run):
    told = 0
    for event in make_run(training={"epochs": 5, "checkpoint_every_steps": 3}).events():
        if isinstance(event, Points):
            told = event.first_step + len(event.series["lr"])
        else:
            assert told == (event.step if isinstance(event, CheckpointDue) else event.step + 1)


def test_a_rest_of_one_row_is_left_out_if_asked(make_run):
    job = {"model": {"name": "mlp", "normalization": {"name": "batch_norm"}}, "split": {"validation": 29 / 150}}
    run = make_run(**job, training={"epochs": 2, "batch_size": 40, "drop_last": True})
    assert len(curves(run.events())["lr"]) == 6  # 121 rows


def test_batch_norm_judges_by_its_running_statistics(make_run):
    run = make_run(
        model={"name": "mlp", "hidden": [8], "normalization": {"name": "batch_norm", "momentum": 0.3}},
        training={"epochs": 5},
    )
    judged = evaluations(run.events())[-1].values["val/loss"]
    first, norm, _, last = run.model.eval()
    x, y = run._data.validation.x, run._data.validation.y
    with torch.no_grad():
        h = first(x)
        h = norm.weight * (h - norm.running_mean) / (norm.running_var + 1e-5).sqrt() + norm.bias
        assert functional.cross_entropy(last(h.relu()), y).item() == pytest.approx(judged, rel=1e-5)
        assert norm.momentum == 0.3


def test_the_same_seed_is_the_same_curve_and_another_seed_another(make_run):
    first, again, other = (curves(make_run(training={"epochs": 2, "seed": seed}).events()) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_two_runs_taken_in_turns_do_not_disturb_each_other(make_run):
    job = {"model": {"name": "mlp", "dropout": 0.5}, "training": {"epochs": 3}}
    alone = curves(make_run(**job).events(flush_seconds=0))
    runs = [make_run(**job).events(flush_seconds=0) for _ in range(2)]
    pairs = list(itertools.zip_longest(*runs))
    assert [curves([pair[place] for pair in pairs]) for place in range(2)] == [alone, alone]


def test_gradients_are_shortened_to_the_norm_asked_for(make_run):
    job = {"optimizer": {"name": "sgd", "lr": 1.0}, "model": {"name": "linear"}}
    run = make_run(**job, training={"epochs": 1, "batch_size": 120, "gradient_clip_norm": 0.01})
    before = [weight.detach().clone() for weight in list(run.model.parameters())]
    found = curves(run.events())
    moved = sum(((a - b) ** 2).sum() for a, b in zip(before, list(run.model.parameters()), strict=True)).sqrt().item()
    assert found["train/grad_norm"][0] > 0.01
    assert moved == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize(
    ("lr", "patience", "epochs_run"),
    [(1e-9, 3, 4), (0.01, 1000, 30)],
)
def test_a_run_that_gets_no_better_ends_early(make_run, lr, patience, epochs_run):
    stop = {"metric": "val/loss", "patience": patience, "min_delta": 1e-4}
    run = make_run(
        split={"test": 0.1}, optimizer={"name": "sgd", "lr": lr}, training={"batch_size": 105, "early_stopping": stop}
    )
    judged = evaluations(run.events())
    assert (len(judged), run.steps_done) == (epochs_run, epochs_run)
    assert "test/loss" in judged[-1].values


@pytest.mark.parametrize("flush_seconds", [0.0, 0.003, 1e9])
def test_a_run_diverges_at_the_same_step_however_late_it_is_noticed(make_run, flush_seconds):
    run = make_run(**ON_RAW, optimizer={"name": "sgd", "lr": 1.0}, training={"epochs": 60, "seed": 1})
    events, diverged = until_diverged(run, flush_seconds)
    found = curves(events)
    expected = first_step_not_finite(run._data)
    assert (diverged.step, len(found["train/loss"])) == (expected, expected + 1)
    last = (found["train/loss"][-1], found["train/grad_norm"][-1])
    assert not all(math.isfinite(value) for value in last)
    assert all(math.isfinite(value) for value in found["train/loss"][:-1] + found["train/grad_norm"][:-1])
    assert all(event.step < expected for event in evaluations(events))


def first_step_not_finite(data):
    """Where plain gradient descent on the same rows leaves float32."""
    torch.manual_seed(1)
    model = torch.nn.Linear(4, 1)
    for step in range(10_000):
        epoch, batch = divmod(step, 13)
        rows = torch.from_numpy(np.random.default_rng([1, epoch]).permutation(800)).split(64)[batch]
        loss = functional.mse_loss(model(data.train.x[rows]).squeeze(1), data.train.y[rows])
        model.zero_grad()
        loss.backward()
        norm = torch.linalg.vector_norm(torch.cat([w.grad.flatten() for w in model.parameters()]))
        if not (loss.isfinite() and norm.isfinite()):
            return step
        with torch.no_grad():
            torch._foreach_sub_(list(model.parameters()), [weight.grad for weight in model.parameters()])
    raise AssertionError("it did not diverge")


def test_the_rate_of_a_thousand_on_raw_features_diverges_with_its_curve_kept(make_run):
    job = {"dataset": {"name": "badly_scaled"}, "preprocessing": {"numeric": {"name": "none"}}}
    events, _ = until_diverged(make_run(**job, optimizer={"name": "sgd", "lr": 1e3}))
    assert math.isfinite(curves(events)["train/loss"][0])


@pytest.mark.parametrize("flush_seconds", [0.0, 1e9])
def test_a_step_without_a_solution_is_where_the_run_diverges(make_run, flush_seconds):
    """Shampoo decomposes sums of squared gradients, which leave float32 while every gradient is finite still."""
    run = make_run(model={"name": "linear"}, optimizer={"name": "shampoo", "preconditioning_compute_steps": 40})
    run.train.x.mul_(8e18)
    events, diverged = until_diverged(run, flush_seconds)
    found = curves(events)
    assert (diverged.step, len(found["train/loss"])) == (39, 40)
    assert all(math.isfinite(value) for value in found["train/loss"] + found["train/grad_norm"])
    assert str(diverged).startswith(f"diverged at step {diverged.step}: the optimizer cannot step (linalg.svd: ")


def test_a_number_that_is_not_finite_is_the_reason_and_not_the_step_that_it_keeps_from_a_solution(make_run):
    run = make_run(model={"name": "linear"}, optimizer={"name": "shampoo"})
    run.train.x.fill_(math.nan)
    _, diverged = until_diverged(run)
    assert str(diverged) == "diverged at step 0: train/loss is nan"


def test_weights_that_the_last_step_made_infinite_are_judged_and_then_refused(make_run):
    run = make_run(
        split={"test": 0.1},
        model={"name": "linear"},
        optimizer={"name": "sgd", "lr": 1000.0, "weight_decay": 1e6},
        training={"epochs": 1, "batch_size": 24},
    )
    events, diverged = until_diverged(run)
    assert all(math.isfinite(loss) for loss in curves(events)["train/loss"])
    assert math.isnan(evaluations(events)[-1].values["test/loss"])
    assert str(diverged) == f"diverged at step {run.steps_done - 1}: a weight is inf"


def test_spec_plan_and_data_must_belong_together(make_run):
    run, other = make_run(), make_run(dataset={"name": "wine"})
    with pytest.raises(ValueError, match="belong together"):
        type(run)(run._spec, run._plan, other._data, torch.device("cpu"))
