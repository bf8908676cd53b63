"""Over HTTP: whatever a trained model is asked as, raw rows get the answers that its job was judged by."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.parity import CASES, Case, measured_of, written_file
from tests.servers import wait_until
from training.export import run_onnx, run_pt2
from training.load import load
from training.predict import Predictor

RUNNERS = {"onnx": run_onnx, "pt2": run_pt2}
IN_EVERY_RUN = {"mlp", "cnn"}


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[] if name in IN_EVERY_RUN else pytest.mark.verify) for name in CASES],
)
def served(anneal, request, tmp_path_factory) -> tuple[Case, dict[str, Any]]:
    """A case, and its job at its end."""
    case: Case = CASES[request.param]
    path = written_file(case, tmp_path_factory.mktemp("data"))
    fields = {"target": case.target} | ({"columns": json.dumps(_said(case))} if case.choices else {})
    sent = anneal.client.post("/v1/datasets", files={"file": (path.name, path.read_bytes())}, data=fields).json()
    dataset = wait_until(lambda: (now := anneal.client.get(f"/v1/datasets/{sent['id']}").json())["terminal"] and now)
    assert dataset["state"] == "ready", dataset["error"]
    answer = anneal.client.post("/v1/jobs", json={"dataset": {"id": sent["id"]}, **case.job})
    assert answer.status_code == 202, answer.text
    address = answer.headers["location"]
    job = wait_until(lambda: (now := anneal.client.get(address).json())["terminal"] and now, 120)
    assert job["state"] == "succeeded", job["error"]
    return case, job


def test_rows_in_a_request(anneal, served):
    case, job = served
    answer = anneal.client.post(f"/v1/jobs/{job['id']}/predict", json={"columns": case.rows()})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    shares = zip(*told["probabilities"], strict=True) if told["probabilities"] else ()
    agree(case, job, told["predictions"], dict(zip(told["classes"] or (), map(list, shares), strict=True)))


def test_rows_in_a_file(anneal, served, tmp_path):
    case, job = served
    file = {"file": (f"new.{case.form}", case.test_file())}
    answer = anneal.client.post(f"/v1/jobs/{job['id']}/predict", files=file)
    assert answer.status_code == 200, answer.text
    told = list(csv.DictReader(io.StringIO(answer.text)))
    shares = {name: [float(row[name]) for row in told] for name in told[0] if name.startswith("probability_")}
    predictions = [row["prediction"] for row in told]
    agree(
        case,
        job,
        predictions if shares else list(map(float, predictions)),
        {name.removeprefix("probability_"): share for name, share in shares.items()},
    )


@pytest.mark.parametrize("form", ["safetensors", "zip"])
def test_a_file_that_is_loaded(anneal, served, form, tmp_path):
    case, job = served
    told = load(handed_out(anneal, job, form, tmp_path)).predict(case.rows())
    agree(case, job, told.predictions, told.probabilities)


@pytest.mark.verify
@pytest.mark.parametrize("form", RUNNERS)
def test_a_file_that_other_programs_run(anneal, served, form, tmp_path):
    case, job = served
    model = Predictor.load(handed_out(anneal, job, "zip", tmp_path))
    with torch.inference_mode():
        answers = RUNNERS[form](handed_out(anneal, job, form, tmp_path))(model.inputs(case.rows())).double().numpy()
    agree(case, job, *decoded(model, answers))


def decoded(model: Predictor, answers: np.ndarray) -> tuple[list[Any], dict[str, list[float]]]:
    """Predictions, and the probabilities of each class."""
    if not model.classes:
        return model.preparation.invert_target(answers).tolist(), {}
    predictions = [model.classes[place] for place in answers.argmax(axis=1)]
    return predictions, dict(zip(model.classes, answers.T.tolist(), strict=True))


def handed_out(anneal, job: dict[str, Any], form: str, folder: Path) -> Path:
    url = f"/v1/jobs/{job['id']}/model?format={form}"
    answer = wait_until(lambda: (now := anneal.client.get(url)).status_code != 202 and now, 120, form)
    assert answer.status_code == 200, answer.text
    (folder / f"model.{form}").write_bytes(answer.content)
    return folder / f"model.{form}"


def agree(case: Case, job: dict[str, Any], predictions: list[Any], probabilities: dict[str, list[float]]) -> None:
    found = measured_of(case, predictions, probabilities)
    assert found == pytest.approx({key: job["metrics"][key]["last"] for key in found}, rel=1e-4)


def _said(case: Case) -> list[dict[str, Any]]:
    return [choice.model_dump(mode="json", exclude_none=True) for choice in case.choices]
