"""How gradients become steps: each way that a job may ask for, against the same written out in torch."""

import copy
import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from api_schemas.catalog.losses import LossEntry
from training.events import Evaluation, Points

TRAINING = {"epochs": 3, "batch_size": 16, "precision": "float64", "seed": 5}
MLP = {"name": "mlp", "hidden": [8, 6], "activation": {"name": "tanh"}, "normalization": {"name": "layer_norm"}}


def batches(run):
    """Inputs and targets of each batch of the run, by the recipe of its row order."""
    training, train = run._spec.training, run._data.train
    for epoch in range(training.epochs):
        order = torch.from_numpy(np.random.default_rng([training.seed, epoch]).permutation(len(train.y)))
        for rows in order.split(training.batch_size):
            yield train.x[rows], train.y[rows]


def plainly(run, make_optimizers, clip=lambda _: None, before_step=lambda *_: None):
    """Losses and network of a plain torch loop from the run's initial weights; the run has not begun yet."""
    model = copy.deepcopy(run.model)
    optimizers, losses = make_optimizers(model), []
    for step, (x, y) in enumerate(batches(run)):
        model.zero_grad()
        loss = functional.cross_entropy(model(x), y)
        loss.backward()
        clip(model)
        before_step(optimizers, step)
        for optimizer in optimizers:
            optimizer.step()
        losses.append(loss.item())
    return losses, model


def recorded(run):
    """Each series as one list."""
    joined = {}
    for event in run.events():
        for key, values in event.series.items() if isinstance(event, Points) else ():
            joined.setdefault(key, []).extend(values)
    return joined


def assert_same_run(run, losses, model):
    np.testing.assert_allclose(recorded(run)["train/loss"], losses, rtol=1e-9)
    for (name, weight), wanted in zip(run.model.named_parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(weight, wanted, rtol=1e-8, atol=1e-11, msg=name)


def sgd(model):
    return [torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)]


SGD = {"name": "sgd", "lr": 0.1, "momentum": 0.9}


def test_three_batches_added_up_are_one_of_three_times_the_rows(make_run):
    job = {"model": MLP, "optimizer": SGD}
    added = make_run(**job, training={**TRAINING, "batch_size": 16, "accumulate_batches": 3})
    large = make_run(**job, training={**TRAINING, "batch_size": 48})
    assert added._plan.steps_per_epoch == large._plan.steps_per_epoch == 3  # 120 rows: 48, 48 and 24
    found, wanted = recorded(added), recorded(large)
    for key in ("train/loss", "train/grad_norm"):
        np.testing.assert_allclose(found[key], wanted[key], rtol=1e-9)


def _of_classes(entry):
    """A job whose classes count differently where the loss can tell them apart, else one on numbers."""
    if entry.task == "regression":
        return {"dataset": {"name": "diabetes"}, "loss": {"name": entry.model_fields["name"].default}}
    weights = {"class_weights": [1.0, 7.0, 0.2][: entry.only_classes]} if "class_weights" in entry.model_fields else {}
    dataset = {"name": "breast_cancer" if entry.only_classes == 2 else "iris"}
    return {"dataset": dataset, "loss": {"name": entry.model_fields["name"].default, **weights}}


@pytest.mark.parametrize("name", LossEntry.members())
def test_batches_add_up_whatever_the_loss_counts(make_run, name):
    job = _of_classes(LossEntry.members()[name]) | {"model": MLP, "optimizer": {"name": "sgd", "lr": 1e-4}}
    added = make_run(**job, training={**TRAINING, "accumulate_batches": 3})
    large = make_run(**job, training={**TRAINING, "batch_size": 48})
    found, wanted = recorded(added), recorded(large)
    for key in ("train/loss", "train/grad_norm"):
        np.testing.assert_allclose(found[key], wanted[key], rtol=1e-8)


def test_weighted_batches_that_add_up_are_torchs_weighted_mean_over_all_rows(make_run):
    weights = torch.tensor([1.0, 7.0, 0.2], dtype=torch.float64)
    loss = {"name": "cross_entropy", "class_weights": weights.tolist(), "label_smoothing": 0.1}
    run = make_run(model=MLP, optimizer=SGD, loss=loss, training={**TRAINING, "accumulate_batches": 8})
    model = copy.deepcopy(run.model)
    (optimizer,), losses, (x, y) = sgd(model), [], (run._data.train.x, run._data.train.y)
    for _ in range(3):
        optimizer.zero_grad()
        value = functional.cross_entropy(model(x), y, weights, label_smoothing=0.1)
        value.backward()
        optimizer.step()
        losses.append(value.item())
    assert_same_run(run, losses, model)


def test_what_is_dropped_is_a_batch_that_is_not_full_and_never_a_step(make_run):
    run = make_run(training={"epochs": 2, "batch_size": 50, "accumulate_batches": 2, "drop_last": True})
    assert [len(batch) for batch in run.cut(run.order())] == [50, 50]
    assert len(recorded(run)["train/loss"]) == 2
    run = make_run(training={"epochs": 2, "batch_size": 35, "accumulate_batches": 2, "drop_last": True})
    assert [len(batch) for batch in run.cut(run.order())] == [35, 35, 35]
    assert len(recorded(run)["train/loss"]) == 4


def test_gradients_are_clipped_by_value_as_torch_does(make_run):
    run = make_run(model=MLP, optimizer=SGD, training={**TRAINING, "gradient_clip_value": 0.02})
    assert_same_run(run, *plainly(run, sgd, lambda model: torch.nn.utils.clip_grad_value_(model.parameters(), 0.02)))


def test_gradients_are_clipped_to_a_percentile_of_the_norms_so_far(make_run):
    """AutoClip as its paper has it, by numpy's percentile and torch's clipping."""
    norms = []

    def clip(model):
        norms.append(torch.nn.utils.get_total_norm([weight.grad for weight in model.parameters()]).item())
        torch.nn.utils.clip_grad_norm_(model.parameters(), np.percentile(norms, 30))

    run = make_run(model=MLP, optimizer=SGD, training={**TRAINING, "gradient_clip_percentile": 30})
    assert_same_run(run, *plainly(run, sgd, clip))


def test_momentum_and_weight_decay_follow_their_schedules(make_run):
    def before_step(optimizers, step):
        optimizers[0].param_groups[0]["betas"] = (0.9 * (1 - step / 24), 0.999)
        optimizers[0].param_groups[0]["weight_decay"] = 0.5 * 0.1 ** (step // 8)

    run = make_run(
        model=MLP,
        optimizer={"name": "adamw", "lr": 0.01, "weight_decay": 0.5},
        momentum_schedule=[{"name": "linear", "final": 0.0}],
        weight_decay_schedule=[{"name": "step", "every": 1, "gamma": 0.1}],
        training=TRAINING,
    )
    losses, _ = plainly(run, lambda model: [torch.optim.AdamW(model.parameters(), lr=0.01)], before_step=before_step)
    found = recorded(run)
    np.testing.assert_allclose(found["train/loss"], losses, rtol=1e-9)
    np.testing.assert_allclose(found["momentum"], [0.9 * (1 - step / 24) for step in range(24)])
    np.testing.assert_allclose(found["weight_decay"], [0.5 * 0.1 ** (step // 8) for step in range(24)])


def test_norms_and_biases_are_spared_from_decay_and_layers_have_their_own_rates(make_run):
    def groups(model):
        weights = dict(model.named_parameters())
        first = {name for name in weights if name.startswith("0.")}
        flat = {name for name in weights if weights[name].dim() == 1}
        chosen = [(first - flat, 0.001, 0.3), (first & flat, 0.001, 0), (flat - first, 0.01, 0)]
        chosen.append((set(weights) - first - flat, 0.01, 0.3))
        parts = [
            {"params": [weights[name] for name in sorted(names)], "lr": lr, "weight_decay": decay}
            for names, lr, decay in chosen
        ]
        return [torch.optim.AdamW(parts)]

    run = make_run(
        model=MLP,
        optimizer={"name": "adamw", "lr": 0.01, "weight_decay": 0.3},
        training={**TRAINING, "decay_norms_and_biases": False, "layer_rates": {"0.*": 0.1, "*": 1.0}},
    )
    assert_same_run(run, *plainly(run, groups))


def test_a_factor_of_zero_freezes_a_layer(make_run):
    run = make_run(model=MLP, training={**TRAINING, "layer_rates": {"0.*": 0.0}})
    before = copy.deepcopy(run.model.state_dict())
    recorded(run)
    moved = {name for name, weight in run.model.state_dict().items() if not torch.equal(weight, before[name])}
    assert moved == {name for name in before if not name.startswith("0.")}


def test_matrices_and_all_other_weights_have_an_optimizer_each(make_run):
    def pair(model):
        weights = list(model.parameters())
        return [
            torch.optim.Muon([weight for weight in weights if weight.dim() == 2], lr=0.02, momentum=0.9),
            torch.optim.AdamW([weight for weight in weights if weight.dim() != 2], lr=0.01),
        ]

    def before_step(optimizers, step):
        for optimizer, lr in zip(optimizers, (0.02, 0.01), strict=True):
            optimizer.param_groups[0]["lr"] = lr * (1 - step / 24)

    run = make_run(
        model=MLP,
        optimizer={"name": "muon", "lr": 0.02, "momentum": 0.9, "companion": {"name": "adamw", "lr": 0.01}},
        schedule=[{"name": "linear", "final": 0.0}],
        training=TRAINING,
    )
    assert_same_run(run, *plainly(run, pair, before_step=before_step))


def test_lbfgs_asks_as_often_as_it_wants_and_its_first_answer_is_recorded(make_run):
    run = make_run(model=MLP, optimizer={"name": "lbfgs", "max_iter": 4}, training={**TRAINING, "batch_size": 120})
    model = copy.deepcopy(run.model)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=4)
    wanted = []
    for x, y in batches(run):

        def closure(x=x, y=y):
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(x), y)
            loss.backward()
            return loss

        wanted.append(optimizer.step(closure).item())
    assert_same_run(run, wanted, model)


@pytest.mark.parametrize(
    "optimizer",
    [
        {"name": "sgd"},
        {"name": "sam"},
        {"name": "emonavi"},
        {"name": "lbfgs", "tolerance_grad": 0.0, "tolerance_change": 0.0},
        {"name": "lbfgs", "tolerance_grad": 0.0, "tolerance_change": 0.0, "max_iter": 8, "max_eval": 3},
    ],
    ids=str,
)
def test_a_step_goes_through_the_network_as_often_as_its_optimizer_says(make_run, optimizer):
    run = make_run(
        model=MLP, optimizer=optimizer, split={"validation": 0.0}, training={**TRAINING, "epochs": 1, "engine": "eager"}
    )
    passed = []
    run.model.register_forward_hook(lambda *_: passed.append(1))
    recorded(run)
    assert len(passed) == run.steps_done * run._spec.optimizer.passes


def test_sharpness_aware_steps_use_the_gradient_of_the_worst_point_nearby(make_run):
    """Foret et al. 2021, equations 2 and 3, by hand."""
    sam = {"name": "sam", "rho": 0.1, "base": {"name": "sgd", "lr": 0.1}}
    run = make_run(model=MLP, optimizer=sam, training=TRAINING)
    model = copy.deepcopy(run.model)
    weights, losses = list(model.parameters()), []
    for x, y in batches(run):
        loss = functional.cross_entropy(model(x), y)
        here = torch.autograd.grad(loss, weights)
        away = [0.1 * part / math.sqrt(sum((other**2).sum() for other in here)) for part in here]
        with torch.no_grad():
            torch._foreach_add_(weights, away)
        there = torch.autograd.grad(functional.cross_entropy(model(x), y), weights)
        with torch.no_grad():
            torch._foreach_sub_(weights, away)
            torch._foreach_sub_(weights, there, alpha=0.1)
        losses.append(loss.item())
    np.testing.assert_allclose(recorded(run)["train/loss"], losses, rtol=1e-7)


def test_a_gradient_that_is_differentiated_again_is_let_go_after_its_step(make_run):
    run = make_run(model=MLP, optimizer={"name": "adahessian", "lr": 0.05}, training={**TRAINING, "epochs": 10})
    losses = recorded(run)["train/loss"]
    assert sum(losses[-8:]) < 0.6 * sum(losses[:8])
    assert all(weight.grad is None for weight in run.model.parameters())


def test_an_optimizer_that_judges_elsewhere_is_judged_there_and_not_disturbed(make_run):
    """The schedule-free optimizers evaluate at another point than they train at (Defazio et al. 2024)."""
    job = {"model": MLP, "optimizer": {"name": "schedulefreeadamw", "lr": 0.01}}
    often = make_run(**job, training=TRAINING)
    seldom = make_run(**job, training={**TRAINING, "evaluate_every_epochs": 3})
    judged, trained = [], []
    for run in (often, seldom):
        events = list(run.events())
        judged.append([event for event in events if isinstance(event, Evaluation)][-1].values)
        trained.append([loss for event in events if isinstance(event, Points) for loss in event.series["train/loss"]])
    assert trained[0] == trained[1]
    assert judged[0] == judged[1]
    optimizer = often.steps.optimization._parts[0][1]
    x, y = often._data.validation.x, often._data.validation.y
    there = functional.cross_entropy(often.model(x), y).item()
    optimizer.eval()
    assert functional.cross_entropy(often.model(x), y).item() == pytest.approx(judged[0]["val/loss"], rel=1e-9)
    assert there != pytest.approx(judged[0]["val/loss"], rel=1e-6)
