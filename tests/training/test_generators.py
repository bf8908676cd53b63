"""The generated datasets have the shape that their knobs say."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from api_schemas.catalog.datasets import NamedDatasetEntry
from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from training.build import build


def test_a_rare_event_has_as_many_rows_as_asked_and_lies_as_far_away():
    x, y = build(NamedDatasetEntry.members()["rare_event"](n=100_000, rare=20_000, apart=5.0))
    assert np.bincount(y).tolist() == [80_000, 20_000]
    assert np.linalg.norm(x[y == 1].mean(axis=0) - x[y == 0].mean(axis=0)) == pytest.approx(5.0, abs=0.05)
    assert x[y == 1].std(axis=0) == pytest.approx([1.0, 1.0], abs=0.03)


def test_more_than_half_of_the_rows_cannot_be_rare():
    entry = NamedDatasetEntry.members()["rare_event"]
    assert entry(n=10, rare=5).class_counts == (5, 5)
    with pytest.raises(ValueError, match="at most 5"):
        entry(n=10, rare=6)
    with pytest.raises(ValueError, match="at most 19"):
        entry(n=39)


def made(name, **knobs):
    return build(NamedDatasetEntry.members()[name](**knobs))


@pytest.mark.parametrize("name", ["moons", "circles", "blobs", "bars"])
def test_a_generator_makes_the_classes_that_its_entry_counts(name):
    entry = NamedDatasetEntry.members()[name](n=1001)
    _, y = build(entry)
    assert tuple(np.bincount(y)) == entry.class_counts


def test_blobs_has_as_many_classes_as_it_has_centers():
    entry = NamedDatasetEntry.members()["blobs"](n=101, centers=7)
    assert entry.classes == tuple("0123456")
    assert tuple(np.bincount(build(entry)[1])) == entry.class_counts


@pytest.mark.parametrize(("name", "columns"), [("regression", 3), ("friedman", 7)])
def test_the_columns_are_as_many_as_asked(name, columns):
    entry = NamedDatasetEntry.members()[name](columns=columns)
    assert build(entry)[0].shape == (1000, entry.features) == (1000, columns)


def test_no_straight_line_parts_circles_or_bars_and_neither_is_one_heap():
    for name in ("circles", "bars"):
        x, y = made(name, n=4000)
        assert LogisticRegression().fit(x, y).score(x, y) < 0.6
        assert KNeighborsClassifier(1).fit(x[:2000], y[:2000]).score(x[2000:], y[2000:]) > 0.95


def test_the_long_valley_has_the_curvature_ratio_it_was_asked_for_and_standardising_keeps_it():
    x, y = made("long_valley", n=100_000, ratio=1000.0)
    for rows in (x, (x - x.mean(axis=0)) / x.std(axis=0)):
        small, large = np.linalg.eigvalsh(np.cov(rows.T))
        assert large / small == pytest.approx(1000, rel=0.05)
    along = x[:, 0] + x[:, 1]
    assert np.corrcoef(along, y)[0, 1] ** 2 == pytest.approx(0.5, abs=0.02)
    assert LinearRegression().fit(x, y).score(x, y) > 0.99


def test_adding_marks_one_number_in_each_half_and_the_target_is_their_sum():
    x, y = made("adding", n=500, length=21)
    numbers, marks = x.reshape(500, 21, 2).transpose(2, 0, 1)
    assert (marks[:, :10].sum(axis=1) == 1).all()
    assert (marks[:, 10:].sum(axis=1) == 1).all()
    np.testing.assert_allclose(np.einsum("ns,ns->n", numbers, marks), y)


def test_an_image_and_a_sequence_are_told_to_the_networks_that_look_at_neighbours():
    def parameters(name, **job):
        spec = JobSpec.model_validate({"dataset": {"name": name}, "model": {"name": "cnn", "channels": [4]}} | job)
        return make_plan(spec, None).parameters

    assert parameters("bars") == (4 * 9 + 4) + (4 * 16 * 2 + 2)
    assert parameters("adding") > 0
