"""What a spec leaves open follows from its target, and what does not fit the target is refused at its place."""

from __future__ import annotations

import pytest

from api_schemas.datasets import Column, ColumnStats, Dataset
from api_schemas.errors import InvalidRequest
from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan


def settled(**job):
    return make_plan(JobSpec.model_validate(job), None).spec


@pytest.mark.parametrize(
    ("job", "name"),
    [
        ({"dataset": {"name": "diabetes"}}, "standard"),
        ({"dataset": {"name": "diabetes"}, "loss": {"name": "huber"}}, "standard"),
        ({"dataset": {"name": "diabetes"}, "loss": {"name": "poisson"}}, "none"),
        ({"dataset": {"name": "diabetes"}, "preprocessing": {"target": {"name": "power"}}}, "power"),
        ({"dataset": {"name": "digits"}}, "none"),
    ],
    ids=str,
)
def test_a_target_is_rescaled_as_its_loss_wants_it(job, name):
    assert settled(**job).preprocessing.target.name == name


def test_a_settled_spec_settles_to_itself():
    for dataset in ("digits", "diabetes"):
        spec = settled(dataset={"name": dataset})
        assert make_plan(spec, None).spec == spec


@pytest.mark.parametrize(
    ("dataset", "job", "pointer", "code"),
    [
        ("wine", {"preprocessing": {"numeric": {"name": "channel_standard"}}}, "/preprocessing/numeric", "no_image"),
        ("diabetes", {"preprocessing": {"target": {"name": "whiten"}}}, "/preprocessing/target", "not_invertible"),
        ("digits", {"preprocessing": {"target": {"name": "standard"}}}, "/preprocessing/target", "wrong_task"),
        (
            "diabetes",
            {"loss": {"name": "poisson"}, "preprocessing": {"target": {"name": "standard"}}},
            "/preprocessing/target",
            "rescaled_counts",
        ),
        ("iris", {"loss": {"name": "binary_cross_entropy"}}, "/loss", "wrong_classes"),
        ("iris", {"loss": {"name": "focal", "class_weights": [1.0, 2.0]}}, "/loss/class_weights", "wrong_length"),
    ],
)
def test_what_does_not_fit_the_target_or_the_rows_is_refused(dataset, job, pointer, code):
    with pytest.raises(InvalidRequest) as refused:
        settled(dataset={"name": dataset}, **job)
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [(pointer, code)]


def test_everything_that_does_not_fit_is_told_at_once():
    with pytest.raises(InvalidRequest) as refused:
        settled(
            dataset={"name": "iris"},
            loss={"name": "cross_entropy", "class_weights": [1.0, 2.0]},
            metrics=[{"name": "mae"}, {"name": "top_k"}],
            training={"early_stopping": {"metric": "val/r2"}},
        )
    assert [fault.pointer for fault in refused.value.faults] == [
        "/loss/class_weights",
        "/metrics/0",
        "/metrics/1",
        "/training/early_stopping/metric",
    ]


@pytest.mark.parametrize(("minimum", "integral"), [(-1.0, True), (0.0, False)])
def test_a_column_that_holds_no_counts_is_refused_for_poisson(minimum, integral):
    stats = {"missing": 0, "distinct": 30, "minimum": minimum, "maximum": 40.0, "mean": 10.0, "std": 3.0}
    columns = [
        Column(name=name, type="numeric", role="feature", stats=ColumnStats(**stats, integral=integral))
        for name in ("x", "visits")
    ]
    dataset = Dataset.model_validate(
        {"id": "ds_1", "name": "t.csv", "state": "ready", "terminal": True, "created_at": "2024-01-01T00:00:00Z"}
        | {"version": 1, "sha256": "", "bytes": 0, "format": "csv", "rows": 100, "columns": columns}
    )
    spec = JobSpec.model_validate({"dataset": {"id": "ds_1"}, "target": "visits", "loss": {"name": "poisson"}})
    with pytest.raises(InvalidRequest) as refused:
        make_plan(spec, dataset)
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [("/target", "not_counts")]
