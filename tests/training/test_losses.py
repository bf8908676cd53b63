"""The losses against torch's own and against numbers worked out by hand."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import hinge_loss, log_loss, mean_absolute_error, mean_pinball_loss, mean_poisson_deviance
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

from api_schemas.catalog.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    Focal,
    GaussianNll,
    Hinge,
    Huber,
    LogCosh,
    LossEntry,
    Mae,
    Mse,
    MseOneHot,
    MseSoftmax,
    Poisson,
    Quantile,
    SmoothL1,
)
from api_schemas.errors import InvalidRequest
from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from training.build import build_loss
from training.data.prepare import BadData
from training.events import Evaluation, Points

SURE_AND_WRONG = torch.tensor([[10.0, -10.0, 0.0]], dtype=torch.float64)


def steepest(entry):
    """Largest part of the gradient where the network is sure of class 0 and class 1 is right."""
    scores = SURE_AND_WRONG.clone().requires_grad_()
    build_loss(entry)(scores, torch.tensor([1])).backward()
    return scores.grad.abs().max().item()


def test_where_the_network_is_surely_wrong_cross_entropy_is_steep_and_mse_on_softmax_flat():
    assert steepest(CrossEntropy()) == pytest.approx(1.0, abs=1e-4)
    assert steepest(MseSoftmax()) == pytest.approx(9.1e-5, rel=0.01)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_the_mean_of_the_smoothed_log_likelihoods(smoothing):
    scores, classes = torch.randn(7, 4), torch.tensor([0, 1, 2, 3, 0, 1, 2])
    wanted = functional.one_hot(classes, 4) * (1 - smoothing) + smoothing / 4
    by_hand = -(wanted * functional.log_softmax(scores, dim=1)).sum(dim=1).mean()
    torch.testing.assert_close(build_loss(CrossEntropy(label_smoothing=smoothing))(scores, classes), by_hand)


def test_mse_is_the_mean_square_of_what_was_missed():
    loss = build_loss(Mse())(torch.tensor([[1.0], [2.0], [5.0]]), torch.tensor([1.0, 4.0, 4.0]))
    assert loss.item() == pytest.approx((0 + 4 + 1) / 3)


def scores_and_classes():
    torch.manual_seed(0)
    return torch.randn(9, 4, dtype=torch.float64, requires_grad=True), torch.randint(4, (9,))


def test_focal_is_cross_entropy_at_gamma_0_and_counts_sure_rows_less_above():
    scores, classes = scores_and_classes()
    focal = build_loss(Focal(gamma=0.0))(scores, classes)
    torch.testing.assert_close(focal, functional.cross_entropy(scores, classes))
    likely = scores.softmax(dim=1)[torch.arange(9), classes]
    by_hand = ((1 - likely) ** 2 * -likely.log()).mean()
    torch.testing.assert_close(build_loss(Focal())(scores, classes), by_hand)


def test_focal_has_a_finite_gradient_where_the_network_is_sure():
    scores = torch.tensor([[60.0, -60.0]], requires_grad=True)
    build_loss(Focal(gamma=0.5))(scores, torch.tensor([0])).backward()
    assert torch.isfinite(scores.grad).all()


def test_least_squares_on_one_hot_classes():
    scores, classes = scores_and_classes()
    by_hand = sum(((row - torch.eye(4)[int(k)]) ** 2).sum() for row, k in zip(scores, classes, strict=True)) / 9
    torch.testing.assert_close(build_loss(MseOneHot())(scores, classes), by_hand)


def test_the_hinge_is_that_of_scikit_learn_for_two_classes():
    scores, classes = torch.randn(20, 2, dtype=torch.float64), torch.randint(2, (20,))
    lead = (scores[:, 1] - scores[:, 0]).numpy()
    # Two scores that differ by d are one decision value d, and the mean over K = 2 classes halves it.
    expected = hinge_loss(classes.numpy(), lead) / 2
    assert build_loss(Hinge())(scores, classes).item() == pytest.approx(expected)


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_the_quantile_loss_is_the_pinball_loss_of_scikit_learn(quantile):
    scores, numbers = torch.randn(30, 1, dtype=torch.float64), torch.randn(30, dtype=torch.float64)
    expected = mean_pinball_loss(numbers.numpy(), scores.squeeze(1).numpy(), alpha=quantile)
    assert build_loss(Quantile(q=quantile))(scores, numbers).item() == pytest.approx(expected)


def test_the_mean_absolute_error_is_that_of_scikit_learn():
    scores, numbers = torch.randn(30, 1, dtype=torch.float64), torch.randn(30, dtype=torch.float64)
    expected = mean_absolute_error(numbers.numpy(), scores.squeeze(1).numpy())
    assert build_loss(Mae())(scores, numbers).item() == pytest.approx(expected)


@pytest.mark.parametrize(("entry", "scale"), [(Huber(delta=0.5), 1.0), (SmoothL1(beta=0.5), 2.0)])
def test_huber_is_squared_near_and_straight_far(entry, scale):
    near = build_loss(entry)(torch.tensor([[0.4]]), torch.tensor([0.0]))
    far = build_loss(entry)(torch.tensor([[3.0]]), torch.tensor([0.0]))
    assert near.item() == pytest.approx(scale * 0.4**2 / 2)
    assert far.item() == pytest.approx(scale * 0.5 * (3.0 - 0.25))


def test_log_cosh_is_itself_near_and_does_not_overflow_far():
    loss = build_loss(LogCosh())
    assert loss(torch.tensor([[1.3]]), torch.tensor([0.0])).item() == pytest.approx(math.log(math.cosh(1.3)), rel=1e-6)
    assert loss(torch.tensor([[1000.0]]), torch.tensor([0.0])).item() == pytest.approx(1000 - math.log(2))


def test_the_binary_cross_entropy_is_scikit_learns_log_loss_of_the_sigmoid():
    scores, classes = torch.randn(30, 1, dtype=torch.float64), torch.randint(2, (30,))
    loss = build_loss(BinaryCrossEntropy())
    assert loss(scores, classes).item() == pytest.approx(log_loss(classes.numpy(), scores.sigmoid().numpy()))
    assert loss(torch.tensor([[-100.0]]), torch.tensor([1])).item() == pytest.approx(100)


def test_poisson_is_that_of_torch_and_differs_from_the_deviance_by_what_the_network_cannot_change():
    torch.manual_seed(0)
    scores, counts = torch.randn(30, 1, dtype=torch.float64), torch.randint(1, 9, (30,)).double()
    loss = build_loss(Poisson())
    expected = functional.poisson_nll_loss(scores.squeeze(1), counts, log_input=True)
    torch.testing.assert_close(loss(scores, counts), expected)
    fixed = (counts - counts * counts.log()).mean().item()
    deviance = mean_poisson_deviance(counts.numpy(), loss.predict(scores).numpy())
    assert loss(scores, counts).item() == pytest.approx(deviance / 2 + fixed)


def test_gaussian_nll_is_that_of_torch():
    torch.manual_seed(0)
    scores, numbers = torch.randn(30, 2, dtype=torch.float64), torch.randn(30, dtype=torch.float64)
    expected = functional.gaussian_nll_loss(scores[:, 0], numbers, scores[:, 1].exp())
    torch.testing.assert_close(build_loss(GaussianNll())(scores, numbers), expected)


COUNTS = torch.tensor([60, 25, 0, 15])


def weighted(entry, scores, classes):
    return build_loss(entry, COUNTS).double()(scores, classes)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_class_weights_are_those_of_torch(smoothing):
    scores, classes = scores_and_classes()
    given = [0.5, 2.0, 1.0, 7.0]
    expected = functional.cross_entropy(
        scores, classes, weight=torch.tensor(given, dtype=torch.float64), label_smoothing=smoothing
    )
    entry = CrossEntropy(class_weights=given, label_smoothing=smoothing)
    torch.testing.assert_close(weighted(entry, scores, classes), expected)


def test_balanced_weights_are_those_of_scikit_learn_and_1_for_a_class_without_rows():
    present = [0, 1, 3]
    rows = np.repeat(np.arange(4), COUNTS.numpy())
    expected = compute_class_weight("balanced", classes=np.array(present), y=rows)
    weights = build_loss(CrossEntropy(class_weights="balanced"), COUNTS).class_weights
    np.testing.assert_allclose(weights[present], expected)
    assert weights[2] == 1


def test_balanced_means_that_every_class_has_the_same_say():
    """The weighted mean over rows in the counts' proportions is the mean over the classes of their means."""
    torch.manual_seed(0)
    classes = torch.arange(4).repeat_interleave(COUNTS)
    scores = torch.randn(100, 4, dtype=torch.float64)
    rows = functional.cross_entropy(scores, classes, reduction="none")
    expected = torch.stack([rows[classes == k].mean() for k in (0, 1, 3)]).mean()
    torch.testing.assert_close(weighted(CrossEntropy(class_weights="balanced"), scores, classes), expected)


def test_weighted_focal_and_binary_losses_agree_with_the_weighted_cross_entropy():
    scores, classes = scores_and_classes()
    focal, plain = Focal(gamma=0.0, class_weights="balanced"), CrossEntropy(class_weights="balanced")
    torch.testing.assert_close(weighted(focal, scores, classes), weighted(plain, scores, classes))
    score, two = scores[:, :1], classes % 2
    both = torch.cat([torch.zeros_like(score), score], dim=1)
    given: list[float] = [0.3, 5.0]
    torch.testing.assert_close(
        weighted(BinaryCrossEntropy(class_weights=given), score, two),
        weighted(CrossEntropy(class_weights=given), both, two),
    )


@pytest.mark.parametrize("name", LossEntry.members())
def test_predictions_are_probabilities_or_numbers(name):
    entry = LossEntry.members()[name]()
    classes = 0 if entry.task == "regression" else 2
    predicted = build_loss(entry).predict(torch.randn(5, entry.outputs(classes), dtype=torch.float64))
    assert predicted.shape == ((5, 2) if classes else (5,))
    if classes:
        torch.testing.assert_close(predicted.sum(dim=1), torch.ones(5, dtype=torch.float64))


@pytest.mark.parametrize("weights", [None, "balanced"])
def test_two_outputs_with_a_softmax_train_as_one_with_a_sigmoid(make_run, weights):
    """softmax(z0, z1) is sigmoid(z1 - z0), so both networks are the same function where w = w1 - w0.

    The gradient of z1 is p - y and that of z0 is y - p: a step of lr moves w1 - w0 by 2 lr (p - y) x, and w by
    lr (p - y) x. With twice the learning rate on one output, the two stay the same function for the whole run.
    """
    job = {"dataset": {"name": "breast_cancer"}, "model": {"name": "linear"}}
    training = {"precision": "float64", "epochs": 3}
    curves, last = [], []
    for name, lr in (("cross_entropy", 0.05), ("binary_cross_entropy", 0.1)):
        loss, optimizer = {"name": name, "class_weights": weights}, {"name": "sgd", "lr": lr}
        run = make_run(**job, training=training, loss=loss, optimizer=optimizer)
        for weight in run.model.parameters():
            torch.nn.init.zeros_(weight)
        told = list(run.events())
        curves.append([value for event in told if isinstance(event, Points) for value in event.series["train/loss"]])
        last.append([event.values for event in told if isinstance(event, Evaluation)][-1])
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-9)
    assert len(curves[0]) == 3 * 8
    assert last[0] == pytest.approx(last[1])


@pytest.mark.parametrize(
    ("dataset", "loss", "pointer"),
    [
        ("iris", {"name": "binary_cross_entropy"}, "/loss"),
        ("iris", {"name": "cross_entropy", "class_weights": [1.0, 2.0]}, "/loss/class_weights"),
        ("diabetes", {"name": "cross_entropy", "class_weights": "balanced"}, "/loss"),
    ],
)
def test_a_loss_that_does_not_fit_the_classes_is_refused(dataset, loss, pointer):
    with pytest.raises(InvalidRequest) as refused:
        make_plan(JobSpec.model_validate({"dataset": {"name": dataset}, "loss": loss}), None)
    assert refused.value.faults[0].pointer == pointer


def test_counts_stay_as_they_are_and_nothing_else_is_taken_for_counts(make_run):
    """Diabetes progress is whole numbers from 25 on; what `badly_scaled` makes is not."""
    run = make_run(dataset={"name": "diabetes"}, loss={"name": "poisson"}, training={"epochs": 1})
    assert run._spec.preprocessing.target.name == "none"
    np.testing.assert_array_equal(run._data.train.y, run._data.train.targets)
    with pytest.raises(BadData, match="counts"):
        make_run(dataset={"name": "badly_scaled"}, loss={"name": "poisson"})


def test_poisson_and_gaussian_nll_learn(make_run):
    for name in ("poisson", "gaussian_nll"):
        run = make_run(dataset={"name": "diabetes"}, loss={"name": name}, optimizer={"name": "adam", "lr": 0.003})
        last = [event.values for event in run.events() if isinstance(event, Evaluation)][-1]
        assert last["val/r2"] > 0.2, name


@pytest.mark.parametrize("name", LossEntry.members())
def test_the_gradient_of_a_loss_is_its_slope(name):
    """Against finite differences in float64, away from corners."""
    torch.manual_seed(1)
    entry = LossEntry.members()[name]()
    classes = 0 if entry.task == "regression" else entry.only_classes or 3
    scores = torch.randn(5, entry.outputs(classes), dtype=torch.float64, requires_grad=True)
    wanted = torch.tensor([0, 1, 2, 0, 1]) % classes if classes else torch.randn(5, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda z: build_loss(entry)(z, wanted), scores)
