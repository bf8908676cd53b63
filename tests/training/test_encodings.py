"""What categories and missing values become before a network sees them."""

import numpy as np
import pytest
import torch
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from api_schemas.datasets import ColumnChoice, Dataset
from api_schemas.jobs import JobSpec
from api_schemas.plan import input_shape, make_plan
from training.data.prepare import prepare
from training.data.tables import inspect
from training.loop import Run
from training.predict import Predictor

ROWS = 60
SIZES = np.where(np.arange(ROWS) % 7 == 0, np.nan, np.arange(ROWS) ** 1.5)
COLOURS = np.array(["red", "green", "blue", "grey"])[np.arange(ROWS) * 7 % 4]
GRADES = np.arange(ROWS) * 5 % 3 + 1


def content():
    rows = zip(SIZES, COLOURS, GRADES, strict=True)
    lines = [f"{'' if np.isnan(size) else size},{colour},{grade},{int(size > 100)}" for size, colour, grade in rows]
    return "size,colour,grade,large\n" + "\n".join(lines) + "\n"


class Prepared:
    """A job on the table above, and what its rows became, in the file's order."""

    def __init__(self, folder, choices=(), **job):
        (folder / "file.csv").write_text(content())
        usual = [ColumnChoice(name="size", missing="mean"), ColumnChoice(name="grade", type="category")]
        chosen = {choice.name: choice for choice in usual} | {choice.name: choice for choice in choices}
        found = inspect(folder / "file.csv", "csv", list(chosen.values()))
        about = {"id": "ds_1", "name": "file.csv", "state": "ready", "terminal": True, "version": 1, "sha256": ""}
        about |= {"created_at": "2024-01-01T00:00:00Z", "bytes": 0, "format": "csv"}
        dataset = Dataset.model_validate(about | {"rows": found.rows, "columns": found.columns})
        job = {"dataset": {"id": "ds_1"}, "target": "large", "split": {"method": "time", "test": 0.2}, **job}
        job = {"training": {"batch_size": 8, "epochs": 2}, **job}
        self.plan = make_plan(JobSpec.model_validate(job), dataset)
        self.data = prepare(self.plan.spec, dataset, found.arrays)
        self.x = torch.cat([part.x for part in self.data.parts]).double().numpy()
        self.train = slice(0, self.plan.train_rows)
        assert input_shape(self.plan.spec, dataset, self.data.inputs) == self.data.shape

    def run(self):
        run = Run(self.plan.spec, self.plan, self.data, torch.device("cpu"))
        assert list(run.events())
        return run


def encoded(name, **knobs):
    return {"preprocessing": {"categorical": {"name": name, **knobs}}}


def test_one_hot_is_scikit_learns(tmp_path):
    prepared = Prepared(tmp_path)
    truth = OneHotEncoder(sparse_output=False).fit_transform(np.column_stack([COLOURS, GRADES]))
    np.testing.assert_array_equal(prepared.x[:, 1:], truth)


def test_ordinal_is_scikit_learns_and_rescaled_as_numbers_are(tmp_path):
    prepared = Prepared(tmp_path, **encoded("ordinal"))
    codes = OrdinalEncoder().fit_transform(np.column_stack([COLOURS, GRADES]))
    truth = StandardScaler().fit(codes[prepared.train]).transform(codes)
    np.testing.assert_allclose(prepared.x[:, 1:], truth, rtol=1e-6, atol=1e-6)


def test_an_indicator_is_scikit_learns_beside_the_filled_column(tmp_path):
    prepared = Prepared(
        tmp_path,
        [ColumnChoice(name="size", missing="indicator"), ColumnChoice(name="grade", role="ignore")],
        preprocessing={"numeric": {"name": "none"}},
    )
    truth = SimpleImputer(add_indicator=True).fit(SIZES[prepared.train, None]).transform(SIZES[:, None])
    np.testing.assert_allclose(prepared.x[:, :2], truth, rtol=1e-6)


def test_an_embedded_column_stays_one_column_of_codes_and_the_network_learns_their_numbers(tmp_path):
    prepared = Prepared(tmp_path, **encoded("embedding", width=3))
    codes = OrdinalEncoder().fit_transform(np.column_stack([COLOURS, GRADES]))
    np.testing.assert_array_equal(prepared.x[:, 1:], codes)
    assert (prepared.data.shape.categories, prepared.data.shape.embedding_width) == ({1: 5, 2: 4}, 3)
    prepared.run().save_model(tmp_path / "model")
    network = Predictor.load(tmp_path / "model").model
    assert prepared.plan.parameters == sum(weight.numel() for weight in network.parameters())
    assert [tuple(table.weight.shape) for table in network[0].tables] == [(5, 3), (4, 3)]


def test_a_column_may_be_encoded_otherwise_than_the_others(tmp_path):
    prepared = Prepared(tmp_path, [ColumnChoice(name="colour", encode="embedding")])
    assert prepared.data.shape.categories == {1: 5}
    np.testing.assert_array_equal(prepared.x[:, 2:], np.eye(3)[GRADES - 1])


@pytest.mark.parametrize("name", ["onehot", "embedding"])
def test_a_network_that_has_learned_knows_nothing_of_an_unseen_category(tmp_path, name):
    prepared = Prepared(tmp_path, **encoded(name))
    prepared.run().save_model(tmp_path / "model")
    predictor = Predictor.load(tmp_path / "model")
    known, unseen = (predictor.inputs({"size": [3], "colour": [colour], "grade": [2]}) for colour in ("red", "puce"))
    if name == "embedding":
        with torch.inference_mode():
            known, unseen = (predictor.model[0](x) for x in (known, unseen))
    colour = slice(1, 3 if name == "embedding" else 5)
    assert known[0, colour].abs().sum() > 0
    assert unseen[0, colour].abs().sum() == 0


def test_an_unseen_ordinal_category_comes_behind_the_last(tmp_path):
    prepared = Prepared(tmp_path, **encoded("ordinal"), split={"method": "time"})
    prepared.run().save_model(tmp_path / "model")
    predictor = Predictor.load(tmp_path / "model")
    grades = predictor.inputs({"size": [3] * 3, "colour": ["red"] * 3, "grade": [2, 3, 9]})[:, 2]
    assert (grades[2] - grades[1]).item() == pytest.approx((grades[1] - grades[0]).item(), rel=1e-5)
