"""Raw rows get the answers that the training process gave them, whatever the model is handed out as."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch.nn import functional

from api_schemas.catalog import FAMILIES
from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from tests.parity import CASES, CONTEXT, GPT, Case, dataset_of, inspected, measured_of, text_rows, written_file
from training.data.preparation import Description, Preparation
from training.data.prepare import prepare
from training.events import Evaluation
from training.export import export, run_onnx, run_pt2
from training.load import load
from training.loop import Run
from training.predict_text import Writer, generate

RUNNERS = {"onnx": run_onnx, "pt2": run_pt2}


@dataclass(frozen=True)
class Trained:
    """A model's file, and what the training process measured on the test rows."""

    path: Path
    measured: dict[str, float]


def trained(case: Case, folder: Path) -> Trained:
    path = written_file(case, folder)
    found = inspected(case, path)
    dataset = dataset_of(found, case.form)
    plan = make_plan(JobSpec.model_validate({"dataset": {"id": "ds_1"}, **case.job}), dataset)
    run = Run(plan.spec, plan, prepare(plan.spec, dataset, found.arrays), torch.device("cpu"))
    measured = [event for event in run.events() if isinstance(event, Evaluation)][-1].values
    run.save_model(folder / "model.safetensors")
    return Trained(folder / "model.safetensors", measured)


def zipped(path: Path) -> Path:
    with zipfile.ZipFile(path.with_suffix(".zip"), "w") as archive:
        archive.write(path, "model.safetensors")
    return path.with_suffix(".zip")


WITHOUT_TARGET = {"autoencoder"}
"""What is judged by its own inputs has tests of its own."""


def test_every_family_that_learns_a_target_has_a_case():
    families = {case.spec["model"]["name"] for case in [*CASES.values(), GPT]}
    assert set(FAMILIES["models"].names()) - families <= WITHOUT_TARGET


@pytest.mark.parametrize("name", CASES)
def test_a_loaded_model_answers_raw_rows_as_the_training_process_judged_them(name, tmp_path):
    case = CASES[name]
    run = trained(case, tmp_path)
    told = load(zipped(run.path)).predict(case.rows())
    found = measured_of(case, told.predictions, told.probabilities)
    assert found == pytest.approx({key: run.measured[key] for key in found}, rel=1e-5)


IN_EVERY_RUN = {("mlp", "onnx"), ("mlp", "pt2"), ("cnn", "onnx"), ("gru", "pt2")}


@pytest.mark.parametrize(
    ("name", "format_"),
    [
        pytest.param(name, format_, marks=[] if (name, format_) in IN_EVERY_RUN else pytest.mark.verify)
        for name in CASES
        for format_ in RUNNERS
    ],
)
def test_an_exported_model_answers_raw_rows_as_the_training_process_judged_them(name, format_, tmp_path):
    case = CASES[name]
    run = trained(case, tmp_path)
    export(run.path, format_, tmp_path / "exported")
    answers = RUNNERS[format_](tmp_path / "exported")(load(run.path).inputs(case.rows())).detach().double().numpy()
    preparation = preparation_of(tmp_path / "exported", format_)
    classes = preparation.description.classes
    predictions = (
        [classes[place] for place in answers.argmax(axis=1)] if classes else preparation.invert_target(answers)
    )
    found = measured_of(case, predictions, dict(zip(classes, answers.T, strict=True)) if classes else {})
    assert found == pytest.approx({key: run.measured[key] for key in found}, rel=1e-4)


def test_a_language_model_scores_raw_text_as_the_training_process_judged_it(tmp_path):
    run = trained(GPT, tmp_path)
    writer = Writer.load(zipped(run.path))
    assert loss_of(writer.model, writer.tokens.held) == pytest.approx(run.measured["test/loss"], rel=1e-5)


@pytest.mark.parametrize("format_", ["onnx", pytest.param("pt2", marks=pytest.mark.verify)])
def test_an_exported_language_model_takes_tokens_of_any_length_up_to_its_context(format_, tmp_path):
    run = trained(GPT, tmp_path)
    export(run.path, format_, tmp_path / "exported")
    network = RUNNERS[format_](tmp_path / "exported")
    alphabet = json.loads(metadata_of(tmp_path / "exported", format_)["preparation"])["held"]
    assert loss_of(network, alphabet) == pytest.approx(run.measured["test/loss"], rel=1e-4)
    writer = Writer.load(run.path)
    for length in (1, 7, CONTEXT):
        tokens = torch.arange(length)[None] % len(alphabet)
        assert network(tokens).shape == (1, length, len(alphabet))
        torch.testing.assert_close(network(tokens), writer.model(tokens), rtol=1e-4, atol=1e-4)
    generated = generate(network, torch.tensor([3]), 2 * CONTEXT, CONTEXT, 0, torch.Generator())
    assert "".join(alphabet[token] for token in generated) == writer.write(alphabet[3], 2 * CONTEXT, 0)


def loss_of(network: Callable[[torch.Tensor], torch.Tensor], alphabet: str) -> float:
    """The mean cross-entropy of the test part's tokens, each cut from raw text by the alphabet alone."""
    tokens = torch.tensor([alphabet.index(character) for character in text_rows()])
    rows = tokens.unfold(0, CONTEXT + 1, CONTEXT)
    with torch.inference_mode():
        scores = network(rows[:, :-1].contiguous()).double()
    return functional.cross_entropy(scores.flatten(0, 1), rows[:, 1:].flatten()).item()


def metadata_of(path: Path, format_: str) -> dict[str, str]:
    """The texts in an exported file, by the format's own reader."""
    if format_ == "onnx":
        return {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    texts = {"spec": "", "preparation": "", "arrays": ""}
    torch.export.load(path, extra_files=texts)
    return texts


def preparation_of(path: Path, format_: str) -> Preparation:
    texts = metadata_of(path, format_)
    arrays = {name: np.array(held["values"], held["dtype"]) for name, held in json.loads(texts["arrays"]).items()}
    return Preparation.load(Description.model_validate_json(texts["preparation"]), arrays)
