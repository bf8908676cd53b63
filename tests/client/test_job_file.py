"""A job from a file, changed from the command line."""

from __future__ import annotations

import io
import json

import pytest

from api_schemas.jobs import JobSpec
from client.job_file import BadJobFile, change, check, read_spec


def test_json_and_yaml_say_the_same_job(tmp_path) -> None:
    (tmp_path / "job.json").write_text('{"dataset": {"name": "digits"}, "optimizer": {"name": "sgd", "lr": 1e-3}}')
    (tmp_path / "job.yaml").write_text("dataset: {name: digits}\noptimizer:\n  name: sgd\n  lr: 1e-3\n")
    spec = read_spec(str(tmp_path / "job.yaml"))
    assert spec == read_spec(str(tmp_path / "job.json"))
    assert spec["optimizer"]["lr"] == 0.001


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        ("-.5e2", -50.0),
        ("0.1", 0.1),
        ("7", 7),
        ("1e", "1e"),
        ("2026-11-23", "2026-11-23"),
    ],
)
def test_yaml_reads_numbers_and_dates_as_json_would(tmp_path, text, value) -> None:
    (tmp_path / "job.yaml").write_text(f"name: {text}")
    assert read_spec(str(tmp_path / "job.yaml")) == {"name": value}


def test_a_dash_reads_the_input(monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("dataset: {name: iris}"))
    assert read_spec("-") == {"dataset": {"name": "iris"}}


@pytest.mark.parametrize("text", ["", "- a\n- b", "just text", "{", "a: [1", "!!python/object/apply:os.getcwd []"])
def test_a_file_that_holds_no_job_is_refused_with_a_sentence(tmp_path, text) -> None:
    (tmp_path / "job.yaml").write_text(text)
    with pytest.raises(BadJobFile):
        read_spec(str(tmp_path / "job.yaml"))


def test_changes_reach_into_objects_and_lists() -> None:
    spec = {"dataset": {"name": "digits"}, "model": {"name": "mlp", "hidden": [64, 64]}}
    for assignment in ("optimizer.name=sgd", "optimizer.lr=0.5", "model.hidden.1=32", "model.hidden.2=16", "name=a=b"):
        spec = change(spec, assignment)
    assert spec == {
        "dataset": {"name": "digits"},
        "model": {"name": "mlp", "hidden": [64, 32, 16]},
        "optimizer": {"name": "sgd", "lr": 0.5},
        "name": "a=b",
    }


@pytest.mark.parametrize(
    "assignment",
    [
        "optimizer.lr=0.5",
        "model.hidden.0=64",
        "model.normalization.name=batch_norm",
        "training.epochs=3",
        "schedule.0.name=cosine",
        "preprocessing.numeric.name=minmax",
        "training.early_stopping.patience=3",
    ],
)
def test_a_change_of_a_default_makes_a_valid_job(assignment) -> None:
    spec = change({"dataset": {"name": "digits"}}, assignment)
    JobSpec.model_validate_json(json.dumps(spec))


def test_the_spec_that_is_changed_stays_as_it_was() -> None:
    spec = {"optimizer": {"name": "sgd"}}
    change(spec, "optimizer.lr=1")
    assert spec == {"optimizer": {"name": "sgd"}}


@pytest.mark.parametrize("assignment", ["lr", "=1", "model.hidden.7=1", "model.hidden.x=1", "name.first=1"])
def test_a_change_that_has_no_place_is_refused(assignment) -> None:
    with pytest.raises(BadJobFile, match="cannot set"):
        change({"name": "a", "model": {"name": "mlp", "hidden": [64]}}, assignment)


def test_what_json_cannot_say_is_refused_before_it_is_sent() -> None:
    with pytest.raises(BadJobFile, match="JSON cannot say"):
        check(change({}, "optimizer.lr=NaN"))
