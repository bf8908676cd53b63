"""What training and judging rows are, and what is done to them before a network sees them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import datasets as sklearn_datasets
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

from api_schemas.catalog.datasets import NamedDatasetEntry
from api_schemas.catalog.layers import InputShape
from api_schemas.datasets import ColumnChoice, Dataset
from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from api_schemas.splits import split_sizes
from training.build import build
from training.data.prepare import BadData, prepare
from training.data.split import split_rows
from training.data.tables import inspect

TABLES = {name: entry for name, entry in NamedDatasetEntry.members().items() if not entry().text}


def named(**job):
    plan = make_plan(JobSpec.model_validate(job), None)
    return plan, prepare(plan.spec, None, None)


@pytest.fixture
def uploaded(tmp_path):
    """Plan and data of a job on an uploaded CSV."""

    def make(content, choices=(), **job):
        (tmp_path / "file.csv").write_text(content)
        found = inspect(tmp_path / "file.csv", "csv", choices)
        dataset = Dataset.model_validate(
            {"id": "ds_1", "name": "file.csv", "state": "ready", "terminal": True, "created_at": "2024-01-01T00:00:00Z"}
            | {"version": 1, "sha256": "", "bytes": 0, "format": "csv", "rows": found.rows, "columns": found.columns}
        )
        job = {"dataset": {"id": "ds_1"}, "training": {"batch_size": 8}, **job}
        plan = make_plan(JobSpec.model_validate(job), dataset)
        return plan, prepare(plan.spec, dataset, found.arrays)

    return make


@given(
    rows=st.integers(3, 300),
    validation=st.floats(0, 0.45),
    test=st.floats(0, 0.45),
    stratified=st.booleans(),
    classes=st.integers(1, 5),
    seed=st.integers(0, 2**63 - 1),
)
def test_a_split_has_the_planned_sizes_and_every_row_once(rows, validation, test, stratified, classes, seed):
    sizes = split_sizes(rows, validation, test)
    parts = split_rows(rows, *sizes[1:], seed, np.arange(rows) % classes if stratified else None)
    assert (len(parts.train), len(parts.validation), len(parts.test)) == sizes
    np.testing.assert_array_equal(np.sort(np.concatenate([parts.train, parts.validation, parts.test])), np.arange(rows))


@given(counts=st.lists(st.integers(1, 80), min_size=2, max_size=6), seed=st.integers(0, 1000))
def test_a_stratified_split_keeps_each_classs_share_to_within_a_row(counts, seed):
    classes = np.repeat(np.arange(len(counts)), counts)
    parts = split_rows(len(classes), len(classes) // 4, 0, seed, classes)
    held = np.bincount(classes[parts.validation], minlength=len(counts))
    assert np.all(np.abs(held - np.array(counts) * len(parts.validation) / len(classes)) < 1)


def test_another_seed_is_another_split_and_the_same_seed_the_same():
    first, again, other = (split_rows(100, 20, 0, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.validation, again.validation)
    assert not np.array_equal(first.validation, other.validation)


@pytest.mark.parametrize("name", TABLES)
def test_every_named_dataset_is_as_its_entry_says(name):
    entry = TABLES[name]()
    plan, data = named(dataset={"name": name}, split={"test": 0.1})
    assert (data.inputs, data.outputs) == (entry.features, max(1, len(entry.classes)))
    sizes = plan.train_rows, plan.validation_rows, plan.test_rows
    assert tuple(len(part.x) for part in data.parts) == tuple(len(part.y) for part in data.parts) == sizes
    classes = torch.cat([part.y for part in data.parts])
    if entry.task == "classification":
        assert tuple(classes.bincount().tolist()) == entry.class_counts
    assert all(torch.isfinite(part.x).all() for part in data.parts)


@pytest.mark.parametrize("n", [10, 11, 1000])
def test_generators_repeat_themselves_and_differ_by_seed(n):
    for entry in TABLES.values():
        if "n" not in entry.model_fields:
            continue
        few = {"rare": 1} if "rare" in entry.model_fields else {}
        (x, y), (again, _), (other, _) = (build(entry(n=n, seed=seed, **few)) for seed in (1, 1, 2))
        assert len(x) == len(y) == n
        np.testing.assert_array_equal(x, again)
        assert not np.array_equal(x, other)


def test_badly_scaled_has_the_ratio_it_was_asked_for():
    x, y = build(NamedDatasetEntry.members()["badly_scaled"](n=100_000, ratio=1e4, noise=0.1))
    assert x.std(axis=0).max() / x.std(axis=0).min() == pytest.approx(1e4, rel=0.02)
    assert y.std() == pytest.approx(1.0, rel=0.02)
    _, left, *_ = np.linalg.lstsq(x, y, rcond=None)
    assert np.sqrt(left[0] / len(y)) == pytest.approx(0.1, rel=0.02)


def test_no_straight_line_parts_the_spirals_and_the_nearest_neighbour_does():
    x, y = build(NamedDatasetEntry.members()["spirals"](n=1000))
    with_one = np.column_stack([x, np.ones(len(x))])
    line = with_one @ np.linalg.lstsq(with_one, 2 * y - 1, rcond=None)[0] > 0
    assert (line == y).mean() < 0.7
    distance = ((x[:, None] - x[None]) ** 2).sum(axis=2) + np.eye(len(x)) * 9
    assert (y[distance.argmin(axis=1)] == y).mean() > 0.98


def test_preprocessing_is_fitted_on_the_training_rows_alone():
    plan, data = named(dataset={"name": "wine"})
    raw, classes = sklearn_datasets.load_wine(return_X_y=True)
    rows = split_rows(len(raw), plan.validation_rows, 0, 0, classes)
    truth = StandardScaler().fit(raw[rows.train])
    np.testing.assert_allclose(data.validation.x, truth.transform(raw[rows.validation]), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(data.validation.y, classes[rows.validation])


def test_categories_spread_out_in_file_order_and_classes_keep_their_names(uploaded):
    rows = "".join(f"{i},{'rgb'[i % 3]},{i % 5},{['no', 'yes'][i % 2]}\n" for i in range(40))
    plan, data = uploaded("size,colour,n,sold\n" + rows, target="sold", preprocessing={"numeric": {"name": "none"}})
    assert data.classes == ["no", "yes"]
    assert data.inputs == 5
    assert plan.parameters == sum(p.numel() for p in _network(plan, data).parameters())
    x = torch.cat([part.x for part in data.parts])
    size = x[:, 0].long()
    np.testing.assert_array_equal(x[:, 1:4].argmax(dim=1), _code(size))
    np.testing.assert_array_equal(x[:, 1:4].sum(dim=1), 1)
    np.testing.assert_array_equal(x[:, 4], size % 5)
    np.testing.assert_array_equal(torch.cat([part.y for part in data.parts]), size % 2)


def _code(size):
    """Place of 'rgb'[size % 3] among b, g, r."""
    return torch.tensor([2, 1, 0])[size % 3]


def _network(plan, data):
    from training.build import build_model

    return build_model(plan.spec.model, InputShape(data.inputs), data.outputs)


def test_whole_numbers_are_classes_where_the_loss_is_for_classes(uploaded):
    rows = "".join(f"{i},{(3, 5, 10)[i % 3]}\n" for i in range(30))
    _, data = uploaded("x,quality\n" + rows, target="quality", preprocessing={"numeric": {"name": "none"}})
    assert data.classes == ["3", "5", "10"]
    for part in data.parts:
        np.testing.assert_array_equal(part.y, part.x[:, 0].long() % 3)


@pytest.mark.parametrize("strategy", ["mean", "median", "most_frequent"])
def test_missing_numbers_are_filled_as_scikit_learn_fills_them(uploaded, strategy):
    values = [[float(i % 4) if i % 5 else np.nan, float(i)] for i in range(40)]
    content = "a,b,y\n" + "".join(f"{'' if np.isnan(a) else a},{b},{b / 7}\n" for a, b in values)
    plan, data = uploaded(
        content,
        [ColumnChoice(name="a", missing=strategy)],
        target="y",
        loss={"name": "mse"},
        preprocessing={"numeric": {"name": "none"}},
    )
    rows = split_rows(40, plan.validation_rows, 0, 0)
    truth = SimpleImputer(strategy=strategy).fit(np.array(values)[rows.train])
    np.testing.assert_allclose(data.train.x, truth.transform(np.array(values)[rows.train]), rtol=1e-6)
    np.testing.assert_allclose(data.validation.x, truth.transform(np.array(values)[rows.validation]), rtol=1e-6)


def test_a_missing_category_is_filled_with_the_most_frequent(uploaded):
    content = "c,x,y\n" + "".join(f"{['a', 'b', 'b', ''][i % 4]},{i},{i % 2}\n" for i in range(40))
    _, data = uploaded(content, [ColumnChoice(name="c", missing="most_frequent")], target="y")
    assert {tuple(row) for row in data.train.x[:, :2].tolist()} == {(1, 0), (0, 1)}
    assert sum(float(part.x[:, 1].sum()) for part in data.parts) == 30


def test_a_column_without_a_value_in_any_training_row_cannot_be_filled(uploaded):
    with pytest.raises(BadData, match="'a'"):
        uploaded(
            "a,b,y\n" + "".join(f",{i},{i / 7}\n" for i in range(20)),
            [ColumnChoice(name="a", type="numeric", role="feature", missing="mean")],
            target="y",
            loss={"name": "mse"},
        )


def test_a_number_to_predict_is_scaled_and_comes_back_in_its_own_units():
    plan, data = named(dataset={"name": "diabetes"}, training={"precision": "float64"})
    _, y = sklearn_datasets.load_diabetes(return_X_y=True)
    rows = split_rows(len(y), plan.validation_rows, 0, 0)
    assert data.train.y.mean().item() == pytest.approx(0, abs=1e-12)
    assert data.train.y.std(correction=0).item() == pytest.approx(1)
    np.testing.assert_allclose(data.preparation.invert_target(data.validation.y.numpy()), y[rows.validation])
    np.testing.assert_array_equal(data.validation.targets, y[rows.validation])
    assert data.train.x.dtype == data.train.y.dtype == torch.float64


def test_numbers_that_the_precision_cannot_hold_are_refused_and_not_trained_on(uploaded):
    rows = "".join(f"{i}e38,{i / 7}\n" for i in range(40))
    job = {"target": "y", "loss": {"name": "mse"}, "preprocessing": {"numeric": {"name": "none"}}}
    with pytest.raises(BadData, match="features are too large"):
        uploaded("x,y\n" + rows, **job)
    _, data = uploaded("x,y\n" + rows, **job | {"preprocessing": {"numeric": {"name": "standard"}}})
    assert data.train.x.std(correction=0).item() == pytest.approx(1)
