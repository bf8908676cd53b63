"""The preprocessings against scikit-learn's, on rows that they were not fitted on."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import decomposition, preprocessing

from api_schemas.catalog.preprocessing import (
    ChannelStandard,
    MaxAbs,
    MinMax,
    NoPreprocessing,
    Power,
    PreprocessingEntry,
    Quantile,
    Robust,
    Standard,
    Whiten,
)
from api_schemas.jobs import JobSpec, PreprocessingSpec
from api_schemas.plan import make_plan
from training.build import evaluate
from training.data.preparation import Description, Feature, Preparation
from training.data.preparation import fit as fit_preparation
from training.data.prepare import BadData, prepare

ENTRIES = PreprocessingEntry.members()


def rows(count: int = 60) -> np.ndarray:
    """Columns of all scales: tiny, plain, huge, skewed, with outliers, mostly zero, constant."""
    rng = np.random.default_rng(0)
    columns = [
        rng.normal(5, 1e-3, count),
        rng.normal(size=count),
        rng.normal(1e6, 1e6, count),
        rng.exponential(size=count) ** 3,
        np.where(rng.uniform(size=count) < 0.1, 1e4, rng.normal(size=count)),
        np.where(rng.uniform(size=count) < 0.8, 0.0, 1.0),
        np.full(count, 0.1),
    ]
    return np.column_stack(columns)


def fit(entry: PreprocessingEntry, values: np.ndarray, image=None):
    return evaluate(entry.fit(values, image))


@pytest.mark.parametrize(
    ("entry", "theirs"),
    [
        (Standard(), preprocessing.StandardScaler()),
        (MinMax(), preprocessing.MinMaxScaler()),
        (MinMax(range=(-2.0, 3.0)), preprocessing.MinMaxScaler((-2, 3))),
        (MaxAbs(), preprocessing.MaxAbsScaler()),
        (Robust(), preprocessing.RobustScaler()),
        (
            Robust(quantile_range=(10.0, 70.0), unit_variance=True),
            preprocessing.RobustScaler(quantile_range=(10, 70), unit_variance=True),
        ),
        (Quantile(n_quantiles=20), preprocessing.QuantileTransformer(n_quantiles=20)),
        (
            Quantile(output="normal"),
            preprocessing.QuantileTransformer(n_quantiles=40, output_distribution="normal"),
        ),
        (Power(), preprocessing.PowerTransformer()),
    ],
    ids=str,
)
def test_it_does_what_scikit_learns_does_to_rows_it_has_not_seen(entry, theirs):
    values = rows()
    ours, truth = fit(entry, values[:40]), theirs.fit(values[:40])
    held = values[40:]
    np.testing.assert_allclose(ours.transform(held), truth.transform(held), rtol=1e-7, atol=1e-7)
    learned = ours.transform(held)
    np.testing.assert_allclose(ours.inverse(learned), truth.inverse_transform(learned), rtol=1e-7, atol=1e-7)


def test_box_cox_is_scikit_learns_and_takes_a_constant_column_too():
    values = np.column_stack([np.exp(rows()[:, 1]), rows()[:, 6]])
    ours = fit(Power(method="box-cox"), values[:40])
    truth = preprocessing.PowerTransformer("box-cox").fit(values[:40, :1])
    np.testing.assert_allclose(ours.transform(values)[:, :1], truth.transform(values[:, :1]), rtol=1e-7)
    assert np.all(ours.transform(values)[:, 1] == 0)
    np.testing.assert_allclose(ours.inverse(ours.transform(values)), values, rtol=1e-9)


@pytest.mark.parametrize("name", [name for name, entry in ENTRIES.items() if entry().invertible and entry.target])
def test_training_rows_come_back_in_their_own_units(name):
    values = np.abs(rows()[:, [0, 1, 2, 6]]) + 0.1
    fitted = fit(ENTRIES[name](), values)
    np.testing.assert_allclose(fitted.inverse(fitted.transform(values)), values, rtol=1e-7)


@pytest.mark.parametrize("name", [name for name, entry in ENTRIES.items() if entry.target])
def test_a_constant_column_and_a_single_row_are_no_division_by_zero(name):
    for values in (np.full((7, 4), 0.1), np.zeros((7, 4)), rows()[:1, :4]):
        fitted = fit(ENTRIES[name](), values, (1, 2, 2))
        assert np.isfinite(fitted.transform(rows()[:, :4])).all()


def test_a_constant_column_becomes_zero_to_the_last_bit():
    values = np.full((7, 1), 0.1)  # the mean of seven times 0.1 is not 0.1
    assert np.all(fit(Standard(), values).transform(values) == 0)


def test_whitened_rows_are_those_of_scikit_learns_principal_components():
    values = rows()[:, :5]
    truth = decomposition.PCA(whiten=True, svd_solver="full").fit(values[:40])
    fitted = fit(Whiten(), values[:40])
    np.testing.assert_allclose(fitted.transform(values), truth.transform(values), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(np.cov(fitted.transform(values[:40]).T), np.eye(5), atol=1e-6)


def test_directions_without_variance_are_whitened_to_zero():
    values = rows()[:, [1, 3]]
    doubled = np.column_stack([values, values[:, 0] - 2 * values[:, 1], np.full(60, 3.0)])
    fitted = fit(Whiten(), doubled)
    np.testing.assert_allclose(np.cov(fitted.transform(doubled).T), np.diag([1, 1, 0, 0]), atol=1e-9)
    few = fit(Whiten(), doubled[:2])  # fewer rows than columns: one direction
    assert np.linalg.matrix_rank(few.transform(doubled)) == 1


def test_each_channel_of_a_picture_has_one_mean_and_deviation():
    pictures = np.random.default_rng(0).normal([[[1.0]], [[5.0]]], [[[1.0]], [[3.0]]], (30, 2, 3, 4))
    pictures[:, 0, 0, 0] = 7.0  # a pixel that is always the same
    rescaled = fit(ChannelStandard(), pictures.reshape(30, -1), (2, 3, 4)).transform(pictures.reshape(30, -1))
    truth = (pictures - pictures.mean(axis=(0, 2, 3), keepdims=True)) / pictures.std(axis=(0, 2, 3), keepdims=True)
    np.testing.assert_allclose(rescaled, truth.reshape(30, -1))


def prepared(numeric: PreprocessingEntry, target: PreprocessingEntry | None = None, **job):
    told = {"numeric": numeric.model_dump()} | ({"target": target.model_dump()} if target else {})
    spec = JobSpec.model_validate({"dataset": {"name": "diabetes"}, **job, "preprocessing": told})
    return prepare(make_plan(spec, None).spec, None, None)


@pytest.mark.parametrize("name", ENTRIES)
def test_a_preparation_is_restored_from_what_a_file_holds_bit_for_bit(name):
    entry = ENTRIES[name]()
    pictures = {"dataset": {"name": "digits"}} if entry.needs_image else {}
    made = prepared(entry, entry if entry.invertible else None, **pictures).preparation
    description = Description.model_validate_json(made.description.model_dump_json())
    loaded = Preparation.load(description, {name: array.copy() for name, array in made.arrays().items()})
    rng = np.random.default_rng(0)
    columns = {column.name: rng.normal(size=50) for column in description.columns}
    np.testing.assert_array_equal(loaded.transform(columns), made.transform(columns))
    numbers = rng.uniform(30, 400, 50)
    np.testing.assert_array_equal(loaded.transform_target(numbers), made.transform_target(numbers))
    np.testing.assert_array_equal(loaded.invert_target(numbers), made.invert_target(numbers))


@pytest.mark.parametrize("name", ENTRIES)
def test_held_out_rows_change_nothing_of_what_is_fitted(name):
    entry, train = ENTRIES[name](), np.arange(0, 60, 2)
    spec = PreprocessingSpec(numeric=entry, target=entry if entry.invertible else NoPreprocessing())
    description = Description(columns=[], preprocessing=spec, target="y", classes=[], array=(1, 2, 2))
    columns = np.abs(rows()[:, :4]) + 0.1
    spoiled = columns.copy()
    spoiled[1::2] *= 1000.0

    def fitted(values: np.ndarray) -> dict[str, np.ndarray]:
        features = [Feature(f"x{place}", column, missing="mean") for place, column in enumerate(values.T)]
        return fit_preparation(features, values[:, 0], description, train).arrays()

    truth = fitted(columns)
    assert truth
    for key, array in fitted(spoiled).items():
        np.testing.assert_array_equal(array, truth[key])


def test_box_cox_refuses_numbers_that_are_not_positive_and_names_the_column():
    with pytest.raises(BadData, match=r"'age' holds -0\.1"):
        prepared(Power(method="box-cox"))
