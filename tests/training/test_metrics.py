"""The metrics by their formulas, and how a run reports them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from api_schemas.catalog.metrics import (
    CalibrationError,
    MetricEntry,
    RocAuc,
    TopK,
    better,
    leading,
)
from api_schemas.errors import InvalidRequest
from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from training.evaluation import Patience, measure
from training.events import Evaluation

ENTRIES = MetricEntry.members()


def classified(rows: int = 200, classes: int = 4):
    """Rows of unequal classes, and probabilities that are often right."""
    rng = np.random.default_rng(0)
    targets = rng.choice(classes, rows, p=np.arange(1, classes + 1) / sum(range(1, classes + 1)))
    scores = rng.normal(size=(rows, classes)) + 1.5 * np.eye(classes)[targets]
    likely = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    known = {"targets": targets, "probabilities": likely, "predictions": likely.argmax(axis=1)}
    return known | {"likelihoods": likely[np.arange(rows), targets], "lengths": rng.integers(1, 5, rows)}


def value(metric: MetricEntry, known: dict[str, np.ndarray]) -> float:
    return measure(metric, known["probabilities"].shape[1] if "probabilities" in known else 0, known)


def by_hand_calibration(known, bins):
    surest, right = known["probabilities"].max(axis=1), known["predictions"] == known["targets"]
    edges = np.linspace(0, 1, bins + 1)
    within = [(surest > low) & (surest <= high) for low, high in itertools.pairwise(edges)]
    return sum(rows.mean() * abs(right[rows].mean() - surest[rows].mean()) for rows in within if rows.any())


def by_hand_auc(known):
    """The chance that a row of a class gets more of its probability than another row, pair by pair."""
    areas = []
    for k in range(known["probabilities"].shape[1]):
        mine, others = (
            known["probabilities"][known["targets"] == k, k],
            known["probabilities"][known["targets"] != k, k],
        )
        wins = (mine[:, None] > others).mean() + (mine[:, None] == others).mean() / 2
        areas.append(wins)
    return np.mean(areas)


def by_hand_f1(known):
    targets, said = known["targets"], known["predictions"]
    return np.mean(
        [2 * np.sum((targets == k) & (said == k)) / (np.sum(targets == k) + np.sum(said == k)) for k in range(4)]
    )


CLASSIFICATION = {
    "accuracy": lambda known: np.mean(known["targets"] == known["predictions"]),
    "balanced_accuracy": lambda known: np.mean(
        [np.mean(known["predictions"][known["targets"] == k] == k) for k in range(4)]
    ),
    "f1_macro": by_hand_f1,
    "roc_auc": by_hand_auc,
    "calibration_error": lambda known: by_hand_calibration(known, 15),
    "perplexity": lambda known: np.prod(known["likelihoods"] ** (-1 / len(known["likelihoods"]))),
    "bits_per_character": lambda known: np.log2(1 / known["likelihoods"]).sum() / known["lengths"].sum(),
}


@pytest.mark.parametrize("name", CLASSIFICATION)
def test_a_metric_of_classes_is_its_formula(name):
    known = classified()
    assert value(ENTRIES[name](), known) == pytest.approx(CLASSIFICATION[name](known), rel=1e-6)


@pytest.mark.parametrize("k", [2, 3])
def test_the_right_class_is_among_the_k_likeliest(k):
    known = classified()
    best = np.argsort(-known["probabilities"], axis=1)[:, :k]
    assert value(TopK(k=k), known) == pytest.approx(np.mean((best == known["targets"][:, None]).any(axis=1)))


def test_the_bins_of_the_calibration_error_are_a_knob():
    known = classified()
    assert value(CalibrationError(n_bins=5), known) == pytest.approx(by_hand_calibration(known, 5), rel=1e-6)


def test_the_area_of_two_classes_is_the_second_ones():
    known = classified(classes=2)
    assert value(RocAuc(), known) == pytest.approx(by_hand_auc(known))


REGRESSION = {
    "r2": lambda y, z: 1 - np.sum((y - z) ** 2) / np.sum((y - y.mean()) ** 2),
    "explained_variance": lambda y, z: 1 - np.var(y - z) / np.var(y),
    "mae": lambda y, z: np.mean(np.abs(y - z)),
    "rmse": lambda y, z: np.sqrt(np.mean((y - z) ** 2)),
    "median_absolute_error": lambda y, z: np.median(np.abs(y - z)),
}


@pytest.mark.parametrize("name", REGRESSION)
def test_a_metric_of_numbers_is_its_formula(name):
    rng = np.random.default_rng(0)
    targets = rng.normal(100, 20, 50)
    predictions = targets + rng.normal(1, 5, 50)
    known = {"targets": targets, "predictions": predictions}
    assert value(ENTRIES[name](), known) == pytest.approx(REGRESSION[name](targets, predictions))


def test_every_metric_is_held_against_a_formula():
    assert {*CLASSIFICATION, *REGRESSION, "top_k"} == set(ENTRIES)


def test_what_is_not_defined_is_no_number_and_no_error():
    known = classified()
    one_class = known | {"targets": np.zeros_like(known["targets"])}
    assert math.isnan(value(RocAuc(), one_class))
    assert math.isnan(value(RocAuc(), known | {"targets": known["targets"] % 3}))  # a class without a row
    same = {"targets": np.full(5, 3.0), "predictions": np.arange(5.0)}
    assert math.isnan(value(ENTRIES["r2"](), same))
    for name, entry in ENTRIES.items():
        if entry.task == "regression":
            assert math.isnan(value(entry(), {"targets": np.ones(3), "predictions": np.full(3, np.nan)})), name


@pytest.mark.parametrize("name", [name for name, entry in ENTRIES.items() if entry.task == "classification"])
def test_one_row_and_classes_that_no_row_is_of_are_no_error(name):
    metric = TopK(k=2) if name == "top_k" else ENTRIES[name]()
    known = {key: values[:1] for key, values in classified().items()}
    assert isinstance(value(metric, known), float)


@pytest.mark.parametrize(
    ("key", "direction"),
    [
        *(("train/loss", "lower"), ("val/loss", "lower"), ("lr", "lower"), ("val/top_5", "higher")),
        *((f"test/{entry().key}", entry.better) for entry in ENTRIES.values()),
    ],
)
def test_a_series_says_which_way_it_is_better(key, direction):
    assert better(key) == direction


def test_the_leading_metric_is_the_one_that_the_job_names_first():
    assert leading(["train/loss", "val/loss", "val/f1_macro", "val/accuracy"]) == "f1_macro"
    assert leading(["val/mae", "test/r2"]) == "mae"
    assert leading(["val/top_3"]) == "top_3"
    assert leading(["val/loss", "lr"]) is None


def evaluations(run):
    return [event for event in run.events() if isinstance(event, Evaluation)]


def test_a_run_reports_the_metrics_that_were_asked_for(make_run):
    wanted = ["accuracy", "f1_macro", "roc_auc", "calibration_error", "balanced_accuracy"]
    metrics = [*({"name": name} for name in wanted), {"name": "top_k", "k": 2}]
    told = evaluations(make_run(metrics=metrics, split={"test": 0.2}, training={"epochs": 2}))
    keys = {"loss", *wanted, "top_2"}
    assert set(told[0].values) == {f"val/{key}" for key in keys}
    assert set(told[-1].values) == {f"{part}/{key}" for part in ("val", "test") for key in keys}
    assert all(0 <= value <= 1 for key, value in told[-1].values.items() if "loss" not in key)


def test_a_run_without_metrics_reports_its_loss(make_run):
    assert set(evaluations(make_run(metrics=[], training={"epochs": 1}))[0].values) == {"val/loss"}


def test_errors_are_in_the_targets_own_units_whatever_its_preprocessing(make_run):
    """Diabetes progress goes from 25 to 346 with a standard deviation of 77, and a fit misses it by about 45."""
    for name in ("none", "standard", "robust", "quantile", "power"):
        job = {"dataset": {"name": "diabetes"}, "optimizer": {"name": "adam", "lr": 0.01}, "training": {"epochs": 15}}
        if name == "none":  # the network has the way to 150 to go
            job |= {"optimizer": {"name": "adam", "lr": 0.1}}
        run = make_run(**job, metrics=[{"name": "mae"}, {"name": "rmse"}], preprocessing={"target": {"name": name}})
        last = evaluations(run)[-1].values
        assert 35 < last["val/mae"] < 70, name
        assert last["val/mae"] < last["val/rmse"] < 90, name


def settled(**job):
    return make_plan(JobSpec.model_validate({"dataset": {"name": "iris"}, **job}), None).spec


def test_a_job_is_judged_by_accuracy_or_by_r2_and_mae_unless_it_says_otherwise():
    assert [metric.key for metric in settled().metrics] == ["accuracy"]
    assert [metric.key for metric in settled(dataset={"name": "diabetes"}).metrics] == ["r2", "mae"]


@pytest.mark.parametrize(
    ("job", "pointer", "said"),
    [
        ({"metrics": [{"name": "accuracy"}, {"name": "r2"}]}, "/metrics/1", "roc_auc"),
        ({"metrics": [{"name": "top_k", "k": 3}]}, "/metrics/0", "at least 4 classes"),
        ({"metrics": [{"name": "accuracy"}, {"name": "accuracy"}]}, "/metrics/1", "there already"),
        ({"training": {"early_stopping": {"metric": "val/f1_macro"}}}, "/training/early_stopping/metric", "metrics"),
        ({"schedule": [{"name": "plateau", "metric": "val/r2"}]}, "/schedule/0/metric", "val/accuracy"),
    ],
)
def test_a_metric_that_the_job_cannot_have_is_refused_at_its_place(job, pointer, said):
    with pytest.raises(InvalidRequest) as refused:
        settled(**job)
    assert refused.value.faults[0].pointer == pointer
    assert said in refused.value.faults[0].message


def test_two_metrics_of_a_kind_may_differ_by_their_knobs():
    metrics = [{"name": "top_k", "k": 2}, {"name": "top_k", "k": 3}]
    assert [metric.key for metric in settled(dataset={"name": "digits"}, metrics=metrics).metrics] == ["top_2", "top_3"]


@pytest.mark.parametrize(("metric", "values"), [("val/f1_macro", [0.5, 0.6, 0.4]), ("val/rmse", [3.0, 2.0, 2.5])])
def test_early_stopping_waits_for_the_better_way(metric, values):
    patience = Patience(
        JobSpec.model_validate(
            {"dataset": {"name": "iris"}, "training": {"early_stopping": {"metric": metric, "patience": 1}}}
        ).training.early_stopping
    )
    over = []
    for value in values:
        patience.see({metric: value})
        over.append(patience.over)
    assert over == [False, False, True]
