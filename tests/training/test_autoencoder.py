"""A network that gives its inputs back needs no target, and what it misses tells how unusual a row is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.metrics import mean_absolute_error, r2_score

from api_schemas.catalog.layers import InputShape, parameter_shapes
from api_schemas.catalog.models import Autoencoder, Mlp
from api_schemas.datasets import ColumnChoice, Dataset
from api_schemas.errors import InvalidRequest
from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from training.build import build_loss
from training.data.prepare import prepare
from training.data.tables import inspect
from training.data.undo import raw_columns
from training.events import Evaluation
from training.export import export, run_onnx
from training.load import load
from training.loop import Run
from training.predict_file import predict_file

ROWS = 80
SMALL = {"name": "autoencoder", "hidden": [16], "code": 2}
CHOICES = [
    ColumnChoice(name="size", missing="indicator"),
    ColumnChoice(name="grade", type="category", encode="ordinal"),
]


def table() -> dict[str, list]:
    """Numbers with holes, two kinds of categories and days."""
    rng = np.random.default_rng(0)
    return {
        "size": ["" if row % 7 == 3 else f"{number:.3f}" for row, number in enumerate(rng.exponential(50, ROWS))],
        "colour": [["red", "green", "blue"][row % 3] for row in range(ROWS)],
        "grade": [str(row % 5) for row in range(ROWS)],
        "day": [f"2024-{row % 12 + 1:02}-{row % 28 + 1:02}" for row in range(ROWS)],
        "price": [f"{number:.3f}" for number in rng.normal(1000, 300, ROWS)],
    }


def uploaded(folder, choices=CHOICES, **more) -> tuple[Dataset, dict]:
    lines = [",".join(table()), *(",".join(cells) for cells in zip(*table().values(), strict=True))]
    (folder / "file.csv").write_text("\n".join(lines))
    found = inspect(folder / "file.csv", "csv", choices)
    about = {"id": "ds_1", "name": "file.csv", "state": "ready", "terminal": True, "version": 1, "sha256": ""}
    about |= {"created_at": "2024-01-01T00:00:00Z", "bytes": 0, "format": "csv", **more}
    return Dataset.model_validate(about | {"rows": found.rows, "columns": found.columns}), found.arrays


def planned(dataset=None, **job):
    named = {"dataset": {"id": "ds_1"} if dataset else {"name": "wine"}, "model": SMALL}
    return make_plan(JobSpec.model_validate(named | job), dataset)


class Trained:
    """An autoencoder that ran to its end, and its file."""

    def __init__(self, folder, dataset=None, arrays=None, **job):
        self.plan = planned(dataset, **job)
        self.data = prepare(self.plan.spec, dataset, arrays)
        self.run = Run(self.plan.spec, self.plan, self.data, torch.device("cpu"))
        self.values = [event for event in self.run.events() if isinstance(event, Evaluation)][-1].values
        self.path = folder / "model.safetensors"
        self.run.save_model(self.path)


def faults_of(**job):
    with pytest.raises(InvalidRequest) as refused:
        planned(**job)
    return {fault.pointer: fault.message for fault in refused.value.faults}


def test_a_table_without_a_target_is_enough_and_a_target_is_left_out(tmp_path):
    dataset, arrays = uploaded(tmp_path)
    assert planned(dataset).spec.target is None
    assert prepare(planned(dataset).spec, dataset, arrays).inputs == 2 + 3 + 1 + 1 + 1
    known = dataset.model_copy(update={"target": "price"})
    assert planned(known).spec.target == "price"
    assert planned(known).spec == planned(known, target="price").spec == planned(dataset, target="price").spec
    assert prepare(planned(known).spec, known, arrays).inputs == 2 + 3 + 1 + 1
    assert planned().spec.split.method == "random"


def test_what_only_a_target_could_be_asked_for_is_refused_with_its_place(tmp_path):
    assert "gives back its inputs" in faults_of(loss={"name": "cross_entropy"})["/loss"]
    assert "counts" in faults_of(loss={"name": "poisson"})["/loss"]
    assert "/metrics/0" in faults_of(metrics=[{"name": "accuracy"}])
    assert "/preprocessing/target" in faults_of(preprocessing={"target": {"name": "standard"}})
    dataset, _ = uploaded(tmp_path, [*CHOICES, ColumnChoice(name="colour", encode="embedding")])
    assert "onehot" in faults_of(dataset=dataset)["/preprocessing/categorical"]


def test_without_hidden_layers_it_comes_to_the_plane_of_the_principal_components(tmp_path):
    """Baldi and Hornik 1989."""
    job = {"model": {"name": "autoencoder", "hidden": [], "code": 3}, "optimizer": {"name": "lbfgs"}}
    told = Trained(tmp_path, **job, training={"epochs": 60, "batch_size": 142, "precision": "float64"})
    train, held = told.data.train.x.numpy(), told.data.validation.x.numpy()
    turned = PCA(3).fit(train)
    best = np.square(turned.inverse_transform(turned.transform(held)) - held).mean()
    assert told.values["val/loss"] == pytest.approx(best, rel=1e-4)


def test_its_metrics_are_those_of_scikit_learn_over_all_inputs_and_its_errors_average_to_the_loss(tmp_path):
    told = Trained(tmp_path)
    rows = told.data.validation.x
    with torch.inference_mode():
        given_back = told.run.model.eval()(rows)
    assert told.values["val/r2"] == pytest.approx(r2_score(rows, given_back, multioutput="variance_weighted"))
    assert told.values["val/mae"] == pytest.approx(mean_absolute_error(rows, given_back))
    raw = load_wine()
    held = (rows.double().numpy() * told.data.preparation.numeric.scale) + told.data.preparation.numeric.shift
    answer = load(told.path).predict(dict(zip(raw.feature_names, held.T.tolist(), strict=True)))
    assert np.mean(answer.predictions) == pytest.approx(told.values["val/loss"], rel=1e-5)
    codes = told.run.model[:3](rows).detach().numpy()
    np.testing.assert_allclose(answer.codes, codes, rtol=1e-4, atol=1e-5)
    came_back = np.array([answer.reconstructions[name] for name in raw.feature_names]).T
    expected = told.data.preparation.numeric.inverse(given_back.double().numpy())
    np.testing.assert_allclose(came_back, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("numeric", ["none", "standard", "minmax", "maxabs", "robust", "quantile", "power", "whiten"])
def test_what_a_network_gives_back_whole_is_the_table_again(tmp_path, numeric):
    dataset, arrays = uploaded(tmp_path)
    split = {"validation": 0.0}  # a rank beyond the training rows' is not kept
    spec = planned(dataset, preprocessing={"numeric": {"name": numeric}}, split=split).spec
    spec = spec.model_copy(update={"training": spec.training.model_copy(update={"precision": "float64"})})
    data = prepare(spec, dataset, arrays)
    back = raw_columns(data.preparation, data.train.x.numpy())
    for name in ("colour", "grade"):
        assert back[name] == table()[name]
    off = np.abs(np.array(back["day"], "datetime64[s]") - np.array(table()["day"], "datetime64[s]"))
    assert off.max() < np.timedelta64(12, "h")  # a power of days since 1970 has few digits left for the hours
    for name in ("size", "price"):
        cells = [None if cell == "" else pytest.approx(float(cell)) for cell in table()[name]]
        assert back[name] == cells


@pytest.mark.parametrize("loss", ["mae", "huber", "gaussian_nll", "quantile"])
def test_any_loss_of_numbers_is_taken_over_all_inputs(tmp_path, loss):
    told = Trained(tmp_path, loss={"name": loss}, training={"epochs": 1})
    rows = told.data.validation.x
    with torch.inference_mode():
        scores = told.run.model.eval()(rows)
    entry = told.plan.spec.loss
    one = build_loss(entry)
    alone = [one(scores.view(len(rows), 13, -1)[:, place], rows[:, place]).item() for place in range(13)]
    assert told.values["val/loss"] == pytest.approx(np.mean(alone), rel=1e-5)


def test_an_export_gives_the_rows_back_whatever_else_the_loss_learns_of_them(tmp_path):
    told = Trained(tmp_path, loss={"name": "gaussian_nll"}, training={"epochs": 1})
    rows = told.data.validation.x
    with torch.inference_mode():
        means = told.run.model.eval()(rows).view(len(rows), 13, 2)[..., 0]
    export(told.path, "onnx", tmp_path / "model.onnx")
    torch.testing.assert_close(run_onnx(tmp_path / "model.onnx")(rows), means, rtol=1e-4, atol=1e-4)


def test_a_file_gets_the_error_the_code_and_what_came_back_of_each_row(tmp_path):
    dataset, arrays = uploaded(tmp_path)
    told = Trained(tmp_path, dataset, arrays, training={"epochs": 1})
    predict_file(load(told.path)._predictor, tmp_path / "file.csv", "csv", tmp_path / "answers.csv")
    header, *rows = (tmp_path / "answers.csv").read_text().splitlines()
    names = [f"reconstruction_{name}" for name in table()]
    assert header.split(",") == [*table(), "prediction", "code_1", "code_2", *names]
    assert len(rows) == ROWS


def test_its_first_layers_fit_a_perceptron_that_goes_on_from_them():
    shape = InputShape(64)
    own = parameter_shapes(Autoencoder(hidden=[128, 32]).network(shape, 64))
    perceptron = parameter_shapes(Mlp(hidden=[128, 32]).network(shape, 10))
    shared = ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert [own[name] for name in shared] == [perceptron[name] for name in shared]
