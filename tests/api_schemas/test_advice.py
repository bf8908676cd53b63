"""Advice speaks up where it should, keeps silent where it should, and its fix is one."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api_schemas.advice import PatchOperation
from api_schemas.advice.rules import RULES
from api_schemas.catalog.datasets import NamedDatasetEntry
from api_schemas.catalog.optimizers import PlainOptimizerEntry
from api_schemas.errors import InvalidRequest
from api_schemas.jobs import JobSpec, Plan
from api_schemas.plan import make_plan
from training.data.prepare import prepare

RAW = {"dataset": {"name": "wine"}, "preprocessing": {"numeric": {"name": "none"}}}
BATCH_NORM = {"name": "mlp", "normalization": {"name": "batch_norm"}}
LONG = {"epochs": 500, "batch_size": 64}
SGD = {"name": "sgd", "lr": 0.1}

UNWISE: dict[str, list[dict[str, Any]]] = {
    "softmax_before_cross_entropy": [
        {"model": {"name": "mlp", "output_activation": {"name": "softmax"}}},
        {"model": {"name": "linear", "output_activation": {"name": "sigmoid"}}, "loss": {"name": "focal"}},
    ],
    "mse_on_softmax": [{"loss": {"name": "mse_softmax"}}],
    "features_not_standardised": [RAW, RAW | {"dataset": {"name": "badly_scaled", "ratio": 101.0}}],
    "batch_norm_small_batch": [
        {"model": BATCH_NORM, "training": {"batch_size": 8}},
        {"model": BATCH_NORM | {"hidden": [1]}, "training": {"batch_size": 8}},
        {"model": BATCH_NORM | {"name": "cnn"}, "training": {"batch_size": 8}},
        {"model": BATCH_NORM, "training": {"batch_size": 359}},
    ],
    "last_batch_of_one": [
        {"training": {"batch_size": 479}},
        {"training": {"batch_size": 479, "accumulate_batches": 3, "epochs": 60}},
    ],
    "tf32_without_cuda": [
        {"training": {"precision": "tf32"}, "resources": {"device": device}} for device in ("cpu", "mps")
    ],
    "too_few_steps": [{"training": {"epochs": 2}}, {"training": {"epochs": 40, "batch_size": 1438}}],
    "lr_unusual": [{"optimizer": {"name": "sgd", "lr": 900.0}}, {"optimizer": {"name": "adam", "lr": 1e-9}}],
    "adam_weight_decay": [
        {"optimizer": {"name": name, "weight_decay": 0.01}} for name in ("adam", "nadam", "radam")
    ],
    "adagrad_long_run": [
        {"optimizer": {"name": name}, "training": LONG} for name in ("adagrad", "adagrad_rms")
    ],
    "no_decay_without_batch_norm": [
        {"optimizer": SGD, "training": LONG},
        {"optimizer": SGD, "training": LONG, "schedule": [{"name": "linear_warmup", "steps": 100}]},
        {"optimizer": SGD, "training": LONG, "schedule": [{"name": "multi_step", "milestones": [600]}]},
    ],
    "warmup_longer_than_run": [
        {"schedule": [{"name": "linear_warmup", "steps": 10_000}, {"name": "cosine"}]},
        {"schedule": [{"name": "linear_warmup"}]},
        {"schedule": [{"name": "noam"}]},
    ],
    "schedule_longer_than_run": [
        {"schedule": [{"name": "linear_warmup", "steps": 50}, {"name": "cosine", "epochs": 90}]},
        {"schedule": [{"name": "constant", "fraction": 0.7}, {"name": "cosine", "fraction": 0.7}]},
    ],
}  # fmt: skip
CASES = [(code, spec) for code, specs in UNWISE.items() for spec in specs]

HEALTHY = [
    {},
    {"dataset": {"name": "diabetes"}},
    {"dataset": {"name": "wine"}},
    {"model": BATCH_NORM},
    {"model": {"name": "mlp", "normalization": {"name": "batch_renorm"}}, "training": {"batch_size": 8}},
    {"dataset": {"name": "digits"}, "preprocessing": {"numeric": {"name": "none"}}},
    {"optimizer": {"name": "adamw", "weight_decay": 0.1}},
    {"training": {"precision": "tf32"}},
    {"optimizer": SGD, "training": LONG, "schedule": [{"name": "cosine"}]},
    {"optimizer": SGD, "training": LONG, "schedule": [{"name": "plateau"}]},
    {"optimizer": SGD, "training": LONG, "model": BATCH_NORM},
    {"schedule": [{"name": "linear_warmup", "epochs": 3}, {"name": "cosine"}]},
    {"schedule": [{"name": "one_cycle"}]},
]


def plan_of(spec: dict[str, Any]) -> Plan:
    return make_plan(JobSpec.model_validate_json(json.dumps({"dataset": {"name": "digits"}} | spec)), None)


def patched(document: Any, fix: list[PatchOperation]) -> Any:
    """RFC 6902's `replace`: what it names must be there."""
    document = copy.deepcopy(document)
    for operation in fix:
        *way, last = operation.path.split("/")[1:]
        place = document
        for step in way:
            place = place[int(step) if isinstance(place, list) else step]
        last = int(last) if isinstance(place, list) else last
        assert operation.op == "replace"
        assert place[last] != operation.value
        place[last] = operation.value
    return document


def mended(plan: Plan, code: str) -> Plan:
    """The plan after the fix of an advice, applied to the whole spec as the plan shows it."""
    (advice,) = (advice for advice in plan.warnings if advice.code == code)
    return plan_of(patched(json.loads(plan.model_dump_json())["spec"], advice.fix))


def codes(plan: Plan) -> set[str]:
    return {advice.code for advice in plan.warnings}


@pytest.mark.parametrize(("code", "spec"), CASES, ids=[f"{code}-{i}" for i, (code, _) in enumerate(CASES)])
def test_what_is_unwise_is_said_alone_at_a_place_that_is_there_and_its_fix_leaves_nothing_to_say(code, spec):
    plan = plan_of(spec)
    assert codes(plan) == {code}
    (advice,) = plan.warnings
    place: Any = json.loads(plan.model_dump_json())["spec"]
    for step in advice.pointer.split("/")[1:]:
        place = place[int(step) if isinstance(place, list) else step]
    assert codes(mended(plan, code)) == set()


def test_every_rule_is_tried():
    assert set(UNWISE) == set(RULES)


@pytest.mark.parametrize("spec", HEALTHY, ids=str)
def test_a_healthy_job_is_left_alone(spec):
    assert plan_of(spec).warnings == []


@pytest.mark.parametrize("name", PlainOptimizerEntry.names())
def test_the_rate_of_an_optimizer_as_it_stands_is_a_usual_one(name):
    entry = PlainOptimizerEntry.find(name)
    low, high = entry.usual_lr
    assert low <= entry.model_fields["lr"].default <= high


@pytest.mark.parametrize("path", sorted(Path("examples").glob("*.json")), ids=lambda path: path.stem)
def test_an_example_is_warned_of_only_what_it_is_there_to_show(path):
    shown = {"mse-on-softmax": {"mse_on_softmax"}, "diverging": {"features_not_standardised"}}
    assert codes(plan_of(json.loads(path.read_text()))) == shown.get(path.stem, set())


PIECES = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["constant", "linear_warmup", "cosine", "step", "noam", "chebyshev", "cyclic"])},
        optional={"steps": st.integers(1, 3000)},
    ),
    min_size=1,
    max_size=4,
).map(lambda pieces: [{"steps": 7} | piece for piece in pieces[:-1]] + pieces[-1:])
SPECS = st.fixed_dictionaries(
    {
        "dataset": st.sampled_from([{"name": name} for name in ("iris", "wine", "breast_cancer")]),
        "preprocessing": st.sampled_from([{}, {"numeric": {"name": "none"}}]),
        "model": st.sampled_from([{"name": "linear"}, {"name": "mlp"}, BATCH_NORM]),
        "loss": st.sampled_from([None, {"name": "mse_softmax"}]),
        "optimizer": st.fixed_dictionaries(
            {
                "name": st.sampled_from(["sgd", "adam", "adagrad", "adagrad_rms", "nadam", "radam"]),
                "lr": st.sampled_from([1e-9, 1e-3, 1e-2, 100.0]),
                "weight_decay": st.sampled_from([0.0, 0.01]),
            }
        ),
        "schedule": PIECES,
        "training": st.fixed_dictionaries(
            {
                "epochs": st.sampled_from([1, 2, 30, 20_000]),
                "batch_size": st.integers(1, 119),
                "accumulate_batches": st.integers(1, 5),
                "drop_last": st.booleans(),
            }
        ),
    }
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.filter_too_much])
@given(SPECS)
def test_the_fix_of_every_advice_makes_a_valid_spec_that_no_longer_meets_it(spec):
    try:
        plan = plan_of(spec)
    except InvalidRequest:
        return
    for code in codes(plan):
        assert code not in codes(mended(plan, code))


@pytest.mark.parametrize("name", NamedDatasetEntry.members())
def test_the_ratio_of_scales_that_a_dataset_states_is_that_of_its_rows(name):
    entry = NamedDatasetEntry.members()[name].model_validate({})
    if entry.array is not None or entry.text is not None:
        assert entry.scale_ratio == 1.0
        return
    spec = {"dataset": {"name": name}, "preprocessing": {"numeric": {"name": "none"}}, "split": {"validation": 0.0}}
    rows = prepare(plan_of(spec).spec, None, None).train.x.double().numpy()
    spreads = np.std(rows, axis=0)
    assert entry.scale_ratio == pytest.approx(spreads.max() / spreads.min(), rel=0.15)
