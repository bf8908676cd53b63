"""A model's file answers raw rows as the training process judged them."""

import csv
import io
import struct
import zipfile

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from safetensors.numpy import save
from sklearn import datasets as sklearn_datasets
from sklearn.metrics import accuracy_score, log_loss, r2_score

from api_schemas.datasets import ColumnChoice
from api_schemas.errors import InvalidRequest
from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from tests.parity import dataset_of
from training.data.arrays import inspect_arrays
from training.data.prepare import prepare
from training.data.split import split_rows
from training.data.tables import inspect
from training.events import Evaluation
from training.loop import Run
from training.model_file import UnreadableModel
from training.predict import Predictor
from training.predict_file import predict_file

ROWS = 90


def table(rows=ROWS):
    """Numbers of several scales with holes, categories with holes, whole numbers that are categories."""
    rng = np.random.default_rng(0)
    size, weight = rng.normal(50, 20, rows), rng.exponential(1e4, rows)
    colour, month = rng.integers(0, 3, rows), rng.integers(1, 5, rows)
    price = 3 * size + weight / 100 + 40 * colour + rng.normal(0, 5, rows)
    lines = ["size,weight/kg,colour,month,remark,sold,price"]
    for row in range(rows):
        cells = ["" if row % 7 == 3 else str(size[row]), str(weight[row])]
        cells += ["NA" if row % 11 == 5 else ["red", '"green, dark"', "blue"][colour[row]], f"0{month[row]}"]
        cells += [f"row {row}", ["no", "yes"][int(price[row] > 320)], str(price[row])]
        lines.append(",".join(cells))
    return "\n".join(lines) + "\n"


CHOICES = [
    ColumnChoice(name="size", missing="median"),
    ColumnChoice(name="colour", missing="most_frequent"),
    ColumnChoice(name="month", type="category"),
    ColumnChoice(name="sold", role="ignore"),
    ColumnChoice(name="price", role="ignore"),
]


class Trained:
    """A job that ran to its end on an uploaded table or a named dataset."""

    def __init__(self, folder, content=None, choices=(), found=None, form="csv", **job):
        dataset = arrays = None
        if content is not None:
            (folder / "file.csv").write_text(content)
            found = inspect(folder / "file.csv", "csv", choices)
        if found is not None:
            dataset, arrays, job = dataset_of(found, form), found.arrays, {"dataset": {"id": "ds_1"}, **job}
        split = {"validation": 0.1, "test": 0.3, **job.pop("split", {})}
        training = {"epochs": 3, "batch_size": 16, **job.pop("training", {})}
        self.plan = make_plan(JobSpec.model_validate({**job, "split": split, "training": training}), dataset)
        self.data = prepare(self.plan.spec, dataset, arrays)
        run = Run(self.plan.spec, self.plan, self.data, torch.device("cpu"))
        self.values = [event for event in run.events() if isinstance(event, Evaluation)][-1].values
        self.path = folder / "model.safetensors"
        run.save_model(self.path)
        self.predictor = Predictor.load(self.path)


def held_out():
    """Row numbers of the test part, where the target is not stratified."""
    validation, test = round(ROWS * 0.1), round(ROWS * 0.3)
    return split_rows(ROWS, validation, test, 0).test


def raw_rows(content, rows):
    """Columns of some rows of a CSV as their texts."""
    records = list(csv.DictReader(io.StringIO(content)))
    return {name: [records[row][name] for row in rows] for name in records[0]}


PREPROCESSING = ["standard", "robust", "quantile", "power", "whiten"]


@pytest.mark.parametrize("numeric", PREPROCESSING)
def test_raw_test_rows_become_the_inputs_that_the_run_judged_and_get_its_score(tmp_path, numeric):
    job = {"target": "sold", "preprocessing": {"numeric": {"name": numeric}}, "split": {"method": "random"}}
    trained = Trained(tmp_path, table(), CHOICES, **job, metrics=[{"name": "accuracy"}])
    raw = raw_rows(table(), held_out())
    torch.testing.assert_close(trained.predictor.inputs(raw), trained.data.test.x, rtol=1e-6, atol=1e-6)
    told = trained.predictor.predict(raw)
    assert accuracy_score(raw["sold"], told.predictions) == trained.values["test/accuracy"]
    assert list(told.probabilities) == ["no", "yes"]
    probabilities = np.array([told.probabilities["no"], told.probabilities["yes"]]).T
    assert log_loss(raw["sold"], probabilities) == pytest.approx(trained.values["test/loss"], rel=1e-5)


@pytest.mark.parametrize("target", ["standard", "quantile", "power", "none"])
def test_a_predicted_number_is_in_the_targets_own_units(tmp_path, target):
    job = {"target": "price", "loss": {"name": "mse"}, "preprocessing": {"target": {"name": target}}}
    trained = Trained(tmp_path, table(), CHOICES, **job, training={"epochs": 10, "precision": "float64"})
    raw = raw_rows(table(), held_out())
    torch.testing.assert_close(trained.predictor.inputs(raw), trained.data.test.x, rtol=0, atol=0)
    told = trained.predictor.predict(raw)
    assert told.probabilities == {}
    assert r2_score([float(price) for price in raw["price"]], told.predictions) == trained.values["test/r2"]


@pytest.mark.parametrize(
    "job",
    [
        {"dataset": {"name": "digits"}, "model": {"name": "cnn", "normalization": {"name": "batch_norm"}}},
        {"dataset": {"name": "digits"}, "preprocessing": {"numeric": {"name": "channel_standard"}}},
        {"dataset": {"name": "wine"}, "training": {"averaging": {"name": "ema"}}},
        {"dataset": {"name": "breast_cancer"}, "loss": {"name": "binary_cross_entropy", "class_weights": "balanced"}},
        {"dataset": {"name": "diabetes"}, "optimizer": {"name": "schedulefreeadamw"}},
    ],
    ids=lambda job: job["dataset"]["name"],
)
def test_a_named_datasets_rows_are_predicted_as_they_were_judged(tmp_path, job):
    trained = Trained(tmp_path, **job)
    bunch = getattr(sklearn_datasets, f"load_{job['dataset']['name']}")()
    plan = trained.plan
    strata = bunch.target if plan.spec.split.method == "stratified" else None
    test = split_rows(len(bunch.target), plan.validation_rows, plan.test_rows, 0, strata).test
    raw = {str(name): bunch.data[test, place] for place, name in enumerate(bunch.feature_names)}
    assert torch.equal(trained.predictor.inputs(raw), trained.data.test.x)
    told = trained.predictor.predict(raw).predictions
    if trained.data.classes:
        classes = np.array(trained.data.classes)[bunch.target[test]]
        assert accuracy_score(classes, told) == trained.values["test/accuracy"]
    else:
        assert r2_score(bunch.target[test], told) == trained.values["test/r2"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return Trained(tmp_path_factory.mktemp("model"), table(), CHOICES, target="sold", training={"epochs": 1})


ROW = {"size": 61.5, "weight/kg": 1e4, "colour": "red", "month": 3}


def of(**changes):
    return {name: [value] for name, value in {**ROW, **changes}.items()}


def test_values_may_be_numbers_texts_or_a_files_columns(trained):
    expected = trained.predictor.inputs(of())
    for same in (of(size="61.5", month="03"), of(size=" 61.50 ", month=3.0), of(**{"weight/kg": "1e4"})):
        assert torch.equal(trained.predictor.inputs(same), expected)
    assert torch.equal(trained.predictor.inputs(pl.DataFrame(of()).to_dict()), expected)


def test_a_date_is_predicted_from_as_it_was_learned_in_a_request_and_in_a_file(tmp_path):
    rows = "".join(f"2024-{1 + i % 12:02}-{1 + i % 28:02},{i}\n" for i in range(ROWS))
    predictor = Trained(tmp_path, f"when,price\n{rows}", target="price", model={"name": "linear"}).predictor
    told = predictor.predict({"when": ["2024-03-01", "2024-03-01T12:00"]}).predictions
    assert told[0] != told[1]
    (tmp_path / "new.csv").write_text("when\n2024-03-01 00:00:00\n2024-03-01 12:00:00\n")
    times = pl.read_csv(tmp_path / "new.csv", try_parse_dates=True)
    times.with_columns(pl.col("when").cast(pl.Datetime)).write_parquet(tmp_path / "new.parquet")
    for kind in ("csv", "parquet"):
        predict_file(predictor, tmp_path / f"new.{kind}", kind, tmp_path / "out.jsonl", "jsonl")
        np.testing.assert_allclose(pl.read_ndjson(tmp_path / "out.jsonl")["prediction"], told)
    with pytest.raises(InvalidRequest, match="write one such as 2024-12-31"):
        predictor.predict({"when": ["01.03.2024"]})


def test_truth_values_are_the_categories_that_a_file_writes_them_as(tmp_path):
    lines = "".join(f"{i},{[True, False][i % 2]},{i % 3}\n" for i in range(30))
    predictor = Trained(tmp_path, "n,open,y\n" + lines, target="y").predictor
    of_bools = predictor.inputs({"n": [1, 1], "open": [True, False]})
    assert torch.equal(of_bools, predictor.inputs({"n": [1, 1], "open": ["True", "False"]}))
    assert of_bools[:, 1:].tolist() == [[0, 1], [1, 0]]


def test_an_unseen_category_is_no_category_and_a_missing_value_what_stands_in_for_it(trained):
    unseen = trained.predictor.inputs(of(colour="purple"))
    assert unseen[0, 2:5].tolist() == [0, 0, 0]
    for nothing in (None, "", "NA", "nan"):
        filled = trained.predictor.inputs(of(colour=nothing, size=nothing))
        fills = {column.name: column.fill for column in trained.data.preparation.description.columns}
        category = ["blue", "green, dark", "red"][int(fills["colour"])]
        assert torch.equal(filled, trained.predictor.inputs(of(colour=category, size=fills["size"])))


@pytest.mark.parametrize(
    ("rows", "pointer", "code", "says"),
    [
        (of(month=None), "/columns/month/0", "missing_value", "no value"),
        (of(**{"weight/kg": "heavy"}), "/columns/weight~1kg/0", "not_numeric", "'heavy'"),
        (of(**{"weight/kg": "1_000"}), "/columns/weight~1kg/0", "not_numeric", "'1_000'"),
        (of(size="inf"), "/columns/size/0", "not_numeric", "'inf'"),
        (of(size=[1, 2]), "/columns/size/0", "not_plain", "number"),
        ({"colour": ["red"], "month": [3], "weight/kg": [1], "sise": [2]}, "/columns", "missing_column", "'sise'"),
        ({**of(), "size": [1, 2]}, "/columns", "uneven_columns", "'size' 2"),
        ({name: [] for name in ROW}, "/columns", "no_rows", "at least one"),
        (of(size=1e308), "/columns", "not_finite", "too large"),
    ],
)
def test_rows_that_cannot_be_predicted_are_refused_at_their_place(trained, rows, pointer, code, says):
    with pytest.raises(InvalidRequest) as refused:
        trained.predictor.predict(rows)
    (fault,) = refused.value.faults
    assert (fault.pointer, fault.code) == (pointer, code)
    assert says in fault.message


def test_columns_that_the_model_does_not_need_are_ignored(trained):
    assert torch.equal(trained.predictor.inputs(of(remark="x", sold="yes", price=[])), trained.predictor.inputs(of()))


@pytest.mark.parametrize("content", [b"", b"no model", b"\x02\x00\x00\x00\x00\x00\x00\x00{}"])
def test_a_file_that_is_no_model_is_refused(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UnreadableModel):
        Predictor.load(tmp_path / "file")


def zip_of(images):
    """PNG files in no folder, and what a Mac adds."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for row, pixels in enumerate(images):
            picture = io.BytesIO()
            Image.fromarray(pixels).save(picture, "PNG")
            archive.writestr(f"{row:03}.png", picture.getvalue())
        archive.writestr("__MACOSX/._000.png", b"nothing")
    return out.getvalue()


def npz_of(**arrays):
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


@pytest.fixture(scope="module")
def of_images(tmp_path_factory):
    """A model of digits that were uploaded as arrays."""
    pixels, digits = sklearn_datasets.load_digits(return_X_y=True)
    images, folder = pixels.reshape(-1, 8, 8).astype(np.uint8), tmp_path_factory.mktemp("images")
    (folder / "digits.npz").write_bytes(npz_of(x=images, y=digits))
    found = inspect_arrays({"digits.npz": folder / "digits.npz"}, "npz")
    job = {"model": {"name": "cnn", "channels": [4]}, "target": "y", "training": {"epochs": 1}}
    return images, Trained(folder, found=found, form="npz", **job).predictor


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("npz", lambda images: npz_of(x=images)),
        ("safetensors", lambda images: save({"x": images})),
        ("idx", lambda images: struct.pack(">HBB3I", 0, 8, 3, *images.shape) + images.tobytes()),
        ("images", zip_of),
    ],
)
def test_arrays_and_images_are_predicted_from_the_kinds_of_files_that_they_are_learned_from(
    of_images, kind, written, tmp_path
):
    images, predictor = of_images
    (tmp_path / "new").write_bytes(written(images[:20]))
    predict_file(predictor, tmp_path / "new", kind, tmp_path / "out.csv")
    answers = pl.read_csv(tmp_path / "out.csv", schema_overrides={"prediction": pl.String})
    told = predictor.predict({"x": images[:20].tolist()})
    assert answers["prediction"].to_list() == told.predictions
    np.testing.assert_allclose(answers["probability_3"], told.probabilities["3"], rtol=1e-12)
    if kind == "images":
        assert answers["path"].to_list() == [f"{row:03}.png" for row in range(20)]


def test_a_file_whose_arrays_do_not_fit_is_refused(of_images, trained, tmp_path):
    _, predictor = of_images
    (tmp_path / "wrong.npz").write_bytes(npz_of(x=np.zeros((3, 9, 9))))
    with pytest.raises(InvalidRequest, match="an array of 64 finite numbers is needed"):
        predict_file(predictor, tmp_path / "wrong.npz", "npz", tmp_path / "out.csv")
    (tmp_path / "images.zip").write_bytes(zip_of(np.zeros((2, 8, 8), np.uint8)))
    with pytest.raises(InvalidRequest, match="does not read images"):
        predict_file(trained.predictor, tmp_path / "images.zip", "images", tmp_path / "out.csv")
