"""Whatever a model is written as, its answers stay those of the network that was trained."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits, load_wine

from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from training.data.prepare import prepare
from training.export import NotExported, export, run_onnx, run_pt2
from training.load import load
from training.loop import Run
from training.model_file import UnreadableModel
from training.predict import Predictor

ANSWERS = {"onnx": run_onnx, "pt2": run_pt2}


def trained(path: Path, **job) -> torch.Tensor:
    """Train, keep the model at `path`, and return what the training process said of its validation rows."""
    plan = make_plan(JobSpec.model_validate({"dataset": {"name": "digits"}, "training": {"epochs": 1}} | job), None)
    data = prepare(plan.spec, None, None)
    run = Run(plan.spec, plan, data, torch.device("cpu"))
    for _ in run.events():
        pass
    run.save_model(path)
    with run._judged_model() as model, torch.inference_mode():
        scores = model.eval()(data.validation.x)
    torch.save(data.validation.x, path.with_suffix(".rows"))
    return run._loss.predict(scores)


def written(path: Path, format_: str) -> torch.Tensor:
    """What the file in another format says of the same rows."""
    output = path.with_suffix(f".{format_}")
    export(path, format_, output)
    with torch.inference_mode():
        return ANSWERS[format_](output)(torch.load(path.with_suffix(".rows")))


FEW = {"split": {"validation": 0.95}}


def test_onnx_has_running_statistics_and_takes_any_number_of_rows(tmp_path):
    model = {"name": "cnn", "normalization": {"name": "batch_norm"}, "dropout": 0.5}
    said = trained(tmp_path / "model", model=model, **FEW)
    torch.testing.assert_close(written(tmp_path / "model", "onnx"), said, rtol=1e-4, atol=1e-4)
    onnx.checker.check_model(str(tmp_path / "model.onnx"), full_check=True)
    metadata = {entry.key: entry.value for entry in onnx.load(tmp_path / "model.onnx").metadata_props}
    assert JobSpec.model_validate_json(metadata["spec"]).model.name == "cnn"
    assert json.loads(metadata["preparation"])["classes"] == [str(digit) for digit in range(10)]


def test_the_metadata_leads_from_raw_rows_to_a_number_in_its_own_unit(tmp_path):
    """As somebody does who has numpy, onnxruntime and the file, and nothing of Anneal."""
    trained(tmp_path / "model", dataset={"name": "diabetes"}, training={"epochs": 3})
    export(tmp_path / "model", "onnx", tmp_path / "model.onnx")
    props = {entry.key: entry.value for entry in onnx.load(tmp_path / "model.onnx").metadata_props}
    arrays = {name: np.array(held["values"]) for name, held in json.loads(props["arrays"]).items()}
    raw = load_diabetes().data
    rows = (raw - arrays["numeric.shift"]) / arrays["numeric.scale"]
    answers = run_onnx(tmp_path / "model.onnx")(torch.from_numpy(rows.astype(np.float32))).numpy()
    numbers = answers * arrays["target.scale"] + arrays["target.shift"]
    names = [column["name"] for column in json.loads(props["preparation"])["columns"]]
    expected = Predictor.load(tmp_path / "model").predict(dict(zip(names, raw.T.tolist(), strict=True)))
    np.testing.assert_allclose(numbers, expected.predictions, rtol=1e-4)


def test_an_export_whose_answers_are_off_is_refused_with_the_difference(tmp_path, monkeypatch):
    trained(tmp_path / "model", **FEW)
    monkeypatch.setattr("training.export.TOLERANCE", -1.0)  # no answer is as close as that
    with pytest.raises(NotExported, match=r"answers differently, by .* take format=safetensors"):
        export(tmp_path / "model", "pt2", tmp_path / "model.pt2")


def test_a_loaded_model_is_a_module_that_predicts_and_can_be_trained_on(tmp_path):
    trained(
        tmp_path / "model.safetensors",
        dataset={"name": "wine"},
        model={"name": "mlp", "normalization": {"name": "batch_norm"}},
        training={"epochs": 10},
    )
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        archive.write(tmp_path / "model.safetensors", "model.safetensors")
    model = load(tmp_path / "model.zip")
    wine = load_wine()
    columns = dict(zip(wine.feature_names, wine.data.T.tolist(), strict=True))
    said = model.predict(columns)
    right = [name == wine.target_names[place] for name, place in zip(said.predictions, wine.target, strict=True)]
    assert np.mean(right) > 0.9
    model.train()
    assert model.predict(columns) == said, "predicting needs no test mode"
    assert model.training
    model(model.inputs(columns)).sum().backward()
    assert all(weight.grad is not None for weight in model.parameters())


def test_what_is_no_model_says_so(tmp_path):
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("notes.txt", "")
    with pytest.raises(UnreadableModel, match="holds no model"):
        load(tmp_path / "other.zip")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(UnreadableModel):
        load(tmp_path / "text")


def test_pixels_are_given_by_their_names(tmp_path):
    trained(tmp_path / "model", model={"name": "cnn"})
    digits = load_digits()
    said = load(tmp_path / "model").predict(dict(zip(digits.feature_names, digits.data.T.tolist(), strict=True)))
    assert np.mean(np.array(said.predictions, int) == digits.target) > 0.5
