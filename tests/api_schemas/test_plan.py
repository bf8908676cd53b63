"""What a plan counts is what then happens."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from api_schemas.catalog.datasets import NamedDatasetEntry
from api_schemas.catalog.layers import InputShape
from api_schemas.errors import InvalidRequest
from api_schemas.jobs import JobSpec
from api_schemas.nearest import nearest
from api_schemas.plan import make_plan
from api_schemas.splits import split_sizes
from training.build import build_model
from training.data.prepare import prepare

MODELS = [
    {"name": "linear"},
    {"name": "mlp", "hidden": [7]},
    {"name": "mlp", "hidden": [5, 3], "normalization": {"name": "batch_norm"}},
    {"name": "mlp", "hidden": [5, 3], "normalization": {"name": "layer_norm"}},
]


def plan_of(**spec):
    return make_plan(JobSpec.model_validate({"dataset": {"name": "digits"}} | spec), None)


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_the_parameters_are_those_of_the_built_network(model):
    plan = plan_of(model=model)
    built = build_model(plan.spec.model, InputShape(64), 10)
    assert plan.parameters == sum(weight.numel() for weight in built.parameters())


@pytest.mark.parametrize("name", [name for name, entry in NamedDatasetEntry.members().items() if not entry().text])
def test_rows_and_widths_are_those_of_the_data(name):
    plan = plan_of(dataset={"name": name}, split={"validation": 0.25, "test": 0.1}, training={"batch_size": 7})
    data = prepare(plan.spec, None, None)
    assert [len(part.y) for part in data.parts] == [plan.train_rows, plan.validation_rows, plan.test_rows]
    assert torch.isfinite(data.train.x).all()


@given(st.integers(1, 10_000), st.floats(0, 0.99), st.floats(0, 0.99))
def test_a_split_leaves_no_row_out_and_gives_each_share_one(rows, validation, test):
    train, *held = split_sizes(rows, validation, test)
    assert train + sum(held) == rows
    for share, size in zip((validation, test), held, strict=True):
        assert size == 0 if share == 0 else size >= 1
        assert abs(size - share * rows) <= 1


def test_the_steps_count_a_last_small_batch_unless_it_is_dropped():
    assert plan_of(training={"batch_size": 100, "epochs": 2}).total_steps == 2 * 15
    assert plan_of(training={"batch_size": 100, "epochs": 2, "drop_last": True}).total_steps == 2 * 14


def test_what_a_spec_leaves_open_follows_from_its_data():
    digits, diabetes = plan_of().spec, plan_of(dataset={"name": "diabetes"}).spec
    assert (digits.loss.name, digits.split.method) == ("cross_entropy", "stratified")
    assert (diabetes.loss.name, diabetes.split.method) == ("mse", "random")


def test_the_batch_size_that_is_proposed_is_one_that_is_taken():
    model = {"name": "mlp", "normalization": {"name": "batch_norm"}}
    with pytest.raises(InvalidRequest) as refused:
        plan_of(model=model, training={"batch_size": 479})
    proposed = int(refused.value.faults[0].message.rsplit(" ", 1)[1])
    assert abs(proposed - 479) <= 2
    assert plan_of(model=model, training={"batch_size": proposed}).train_rows == 1438


def test_the_time_counts_every_pass_of_a_step():
    once, twice, often = (plan_of(optimizer={"name": name}).seconds for name in ("sgd", "sam", "lbfgs"))
    assert (twice, often) == (pytest.approx(2 * once, rel=1e-3), pytest.approx(20 * once, rel=1e-3))


def test_the_nearest_name_is_named_or_else_what_there_is():
    assert nearest("adamm", ["sgd", "adam"]) == "did you mean 'adam'?"
    assert nearest("xyz", ["sgd", "adam"]) == "known: 'sgd', 'adam'"


def test_a_batch_that_nobody_asked_for_is_no_larger_than_the_rows():
    few = {"dataset": {"name": "iris"}, "split": {"validation": 0.5, "test": 0.2}}
    plan = plan_of(**few)
    assert (plan.spec.training.batch_size, plan.steps_per_epoch) == (plan.train_rows, 1)
    with pytest.raises(InvalidRequest, match="batch"):
        plan_of(**few, training={"batch_size": 64})
