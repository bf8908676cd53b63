"""A run begins with the weights of another, and leaves alone what is frozen."""

from __future__ import annotations

import pytest
import torch

from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from service.model_header import weight_shapes
from tests.script.runs import job_of, played, trained
from training.data.prepare import prepare
from training.loop import Run
from training.model_file import load_model

MODEL = {"name": "mlp", "hidden": [8, 8], "normalization": {"name": "batch_norm"}}
WINE = {"dataset": {"name": "wine"}, "model": MODEL, "training": {"epochs": 2}}


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """The model of a run on wine."""
    folder = tmp_path_factory.mktemp("teacher")
    trained(job_of(WINE), folder)
    return folder / "model.safetensors"


def begun(spec: dict, teacher) -> Run:
    plan = make_plan(JobSpec.model_validate(spec), None)
    return Run(plan.spec, plan, prepare(plan.spec, None, None), torch.device("cpu"), teacher)


def finished(spec: dict, teacher, folder) -> dict[str, torch.Tensor]:
    run = begun(spec, teacher)
    for _ in run.events():
        pass
    run.save_model(folder / "model")
    return load_model(folder / "model").weights


def test_all_weights_and_running_statistics_are_taken(teacher):
    run = begun(WINE | {"init": {"job": "job_1"}}, teacher)
    for name, weight in load_model(teacher).weights.items():
        assert torch.equal(run.model.state_dict()[name], weight), name


def test_what_is_not_named_is_drawn_as_it_would_be_without(teacher):
    """Seven classes where the teacher knew three: all but the last layer begins trained."""
    spec = WINE | {"dataset": {"name": "digits"}}
    drawn = begun(spec, None).model.state_dict()
    mixed = begun(spec | {"init": {"job": "job_1", "weights": ["3.*"]}}, teacher).model.state_dict()
    for name, weight in load_model(teacher).weights.items():
        assert torch.equal(mixed[name], weight if name.startswith("3.") else drawn[name]), name


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon"])
def test_what_is_frozen_stays_bit_for_bit(teacher, tmp_path, optimizer):
    init = {"job": "job_1", "freeze": ["0.*", "1.weight"]}
    after = finished(WINE | {"init": init, "optimizer": {"name": optimizer}}, teacher, tmp_path)
    before = load_model(teacher).weights
    same = {name for name, weight in before.items() if torch.equal(after[name], weight)}
    assert {"0.weight", "0.bias", "1.weight"} <= same
    assert not {"1.bias", "3.weight", "6.weight"} & same


STATES = {
    "the last step's": {},
    "their average": {"training": {"epochs": 2, "averaging": {"name": "ema", "decay": 0.9}}},
    "those that a schedule-free optimizer is judged by": {"optimizer": {"name": "schedulefreeadamw", "lr": 0.01}},
}


@pytest.mark.parametrize("feature", STATES)
def test_a_checkpoint_has_the_weights_that_would_be_judged_under_the_names_that_a_model_gives_them(feature, tmp_path):
    """At the end of a run these are the weights of its model."""
    spec = WINE | STATES[feature]
    run = begun(spec, None)
    for _ in run.events():
        pass
    run.save(tmp_path / "checkpoint")
    run.save_model(tmp_path / "model")
    model = load_model(tmp_path / "model").weights
    taken = begun(WINE | {"init": {"job": "job_1"}}, tmp_path / "checkpoint").model.state_dict()
    assert weight_shapes(tmp_path / "checkpoint") == weight_shapes(tmp_path / "model")
    assert taken.keys() == model.keys()
    for name in model:
        if "optimizer" in spec and name.startswith(("1.", "4.")) and name.endswith(("_mean", "_var", "_tracked")):
            continue  # a model's are taken anew for the weights that it is judged by
        assert torch.equal(taken[name], model[name]), name


def test_a_script_begins_with_the_same_file(teacher, tmp_path):
    spec = WINE | {"init": {"job": "job_7", "freeze": ["0.*"]}}
    job = job_of(spec)
    run = begun(spec, teacher)
    losses = [loss for event in run.events() for loss in getattr(event, "series", {}).get("train/loss", [])]
    digest = run.save_model(tmp_path / "model")
    from script.program import write_script

    program = write_script(job, None)
    assert "job_7.safetensors" in program.partition('"""')[2].partition('"""')[0], "the header says what it needs"
    (tmp_path / "script.py").write_text(program)
    (tmp_path / "job_7.safetensors").write_bytes(teacher.read_bytes())
    (printed,) = played([[str(tmp_path / "script.py")]], tmp_path)
    steps = [line for line in printed if line.startswith("step ")]
    assert steps == [f"step {step} loss {loss!r}" for step, loss in enumerate(losses)]
    assert printed[-1] == f"weights_sha256 {digest}"
