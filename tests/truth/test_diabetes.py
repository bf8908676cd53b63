"""Least squares on the diabetes data: where every optimizer has to arrive."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler

from api_schemas.catalog.optimizers import OptimizerEntry
from tests.truth.descent import entry_of
from tests.truth.weights import layers_of

ROWS = 442
R2 = 0.517748


@dataclass(frozen=True)
class Budget:
    """What an optimizer is given: every step sees all rows."""

    lr: float = 0.1
    schedule: str = "linear"
    steps: int = 2000
    knobs: dict[str, Any] = field(default_factory=dict)
    precision: str = "float64"


USUAL = Budget()
"""An optimizer whose step has a length of its own arrives where its learning rate falls to 0."""
LONG = Budget(lr=1.0)
SHORT = Budget(lr=0.01)
STEADY = Budget(schedule="constant", steps=4000)
"""For those whose step shrinks with the gradient, or by itself."""
STEADY_LONG = Budget(lr=1.0, schedule="constant", steps=4000)

BUDGETS = {
    **dict.fromkeys(
        [
            "adadelta",
            "adago",
            "adopt",
            "avagrad",
            "dadaptsgd",
            "gravity",
            "lars",
            "msvag",
            "schedulefreeradam",
            "shampoo",
            "sophiah",
            "srmm",
        ],
        LONG,
    ),
    **dict.fromkeys(["emolynx", "focus", "lion", "muonclip", "signsgd", "tiger", "vsgd"], SHORT),
    **dict.fromkeys(["adagrad", "asgd", "emonavi", "ftrl", "pid", "qhm", "sgd", "sgdp", "sgdw", "sm3"], STEADY),
    **dict.fromkeys(["adahessian", "adai", "dadaptadagrad", "schedulefreesgd"], STEADY_LONG),
    "adamg": Budget(lr=1.0, steps=8000),
    "adapnm": Budget(lr=0.01, schedule="constant", steps=4000),
    "adashift": Budget(lr=1.0, steps=4000),
    "adasmooth": Budget(lr=0.001, steps=4000),
    "ademamix": Budget(lr=0.3, steps=4000),
    "dadaptlion": Budget(lr=0.01, schedule="cosine", steps=10_000),
    "emofact": Budget(lr=0.0005, schedule="cosine", steps=6000),
    "fadam": Budget(precision="float32"),
    "kate": Budget(schedule="constant", steps=8000),
    "lbfgs": Budget(lr=1.0, schedule="constant", steps=20),
    "lookahead": Budget(knobs={"base": {"name": "adam", "lr": 0.1}}),
    "pnm": Budget(lr=0.15, schedule="constant", steps=8000),
    # Centralised gradients keep the mean of each row of weights where it was.
    "ranger": Budget(schedule="constant", steps=4000, knobs={"use_gc": False}),
    "rose": Budget(lr=0.01, knobs={"centralize": False}),
    # The flattest point within rho is not the lowest.
    "sam": Budget(knobs={"base": {"name": "adam", "lr": 0.1}, "rho": 1e-4}),
    # Weights beyond the threshold stay as they are.
    "sara": Budget(knobs={"threshold": 1.0}),
    "simplifiedademamix": Budget(lr=0.01, steps=4000),
    "splus": Budget(steps=4000, knobs={"ema_rate": 0.99}),
}

CANNOT = {
    "sparse_adam": "takes sparse gradients alone, and a linear layer has none",
    "spectralsphere": "holds the spectral norm of each matrix where it is put, not where least squares wants it",
}
"""What does not arrive there by its own construction."""

REPRESENTATIVES = ["adam", "lbfgs", "lion", "prodigy", "schedulefreeadamw", "sgd"]
"""One of each family; in every run optax judges the steps of more of them."""


def job(name: str) -> dict[str, Any]:
    """Linear regression by an optimizer, without weight decay."""
    budget, knobs = BUDGETS.get(name, USUAL), set(type(entry_of(name=name)).model_fields)
    optimizer = {"name": name, "lr": budget.lr, "weight_decay": 0.0, "companion": {"name": "adam", "lr": 0.1}}
    return {
        "dataset": {"name": "diabetes"},
        "split": {"validation": 0},
        "model": {"name": "linear"},
        "optimizer": {key: value for key, value in optimizer.items() if key == "name" or key in knobs} | budget.knobs,
        "schedule": [{"name": budget.schedule}],
        "training": {
            "epochs": budget.steps,
            "batch_size": ROWS,
            "precision": budget.precision,
            "checkpoint_every_steps": budget.steps,
        },
    }


def reached(run, folder):
    """R2 of the trained weights, as scikit-learn has it."""
    for _ in run.events():
        pass
    x, y = load_diabetes(return_X_y=True)
    ((weights, bias),) = layers_of(run, folder)
    predicted = StandardScaler().fit_transform(x) @ weights[0] + bias
    return r2_score((y - y.mean()) / y.std(), predicted)


def test_the_number_is_that_of_scikit_learn():
    x, y = load_diabetes(return_X_y=True)
    assert LinearRegression().fit(x, y).score(x, y) == pytest.approx(R2, abs=5e-7)


@pytest.mark.parametrize("name", REPRESENTATIVES)
def test_an_optimizer_arrives_at_least_squares(make_run, tmp_path, name):
    assert round(reached(make_run(**job(name)), tmp_path), 6) == R2


@pytest.mark.verify
@pytest.mark.parametrize("name", sorted(set(OptimizerEntry.names()) - CANNOT.keys() - set(REPRESENTATIVES)))
def test_every_optimizer_arrives_at_least_squares(make_run, tmp_path, name):
    assert round(reached(make_run(**job(name)), tmp_path), 6) == R2


def test_no_budget_is_left_of_an_optimizer_that_is_gone():
    assert set(OptimizerEntry.names()) >= BUDGETS.keys() | CANNOT.keys() | set(REPRESENTATIVES)
