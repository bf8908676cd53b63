"""Which rows train and which judge, where more than chance decides."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import GroupShuffleSplit
from sklearn.neighbors import KNeighborsClassifier

from api_schemas.datasets import Column, ColumnStats, Split
from api_schemas.splits import part_rows
from training.data.split import split_by_group, split_by_part, split_by_time

shares = st.floats(0, 0.45)


def parts_of(rows):
    return rows.train, rows.validation, rows.test


@given(
    groups=st.lists(st.integers(0, 12), min_size=1, max_size=200), validation=shares, test=shares, seed=st.integers(0)
)
def test_no_group_is_in_two_parts_and_every_row_in_one(groups, validation, test, seed):
    groups = np.array(groups)
    parts = parts_of(split_by_group(groups, validation, test, seed))
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(len(groups)))
    train, validating, testing = (set(groups[part]) for part in parts)
    assert len(train | validating | testing) == len(train) + len(validating) + len(testing)


@given(
    groups=st.lists(st.integers(0, 30), min_size=1, max_size=200), validation=shares, test=shares, seed=st.integers(0)
)
def test_a_plan_knows_the_rows_of_each_part_from_the_sizes_of_the_groups_alone(groups, validation, test, seed):
    sizes = Counter(Counter(groups).values())
    stats = ColumnStats(missing=0, distinct=len(set(groups)), group_sizes=sizes)
    column = Column(name="patient", type="text", role="group", stats=stats)
    split = Split(validation=validation, test=test, method="grouped", column="patient", seed=seed % 2**63)
    rows = split_by_group(np.array(groups), validation, test, split.seed)
    assert part_rows(split, [column], len(groups)) == tuple(len(part) for part in parts_of(rows))


@given(sizes=st.lists(st.integers(1, 20), min_size=10, max_size=60), seed=st.integers(0, 1000))
def test_grouped_parts_come_near_their_shares(sizes, seed):
    rows = split_by_group(np.repeat(np.arange(len(sizes)), sizes), 0.2, 0.1, seed)
    for part, share in ((rows.validation, 0.2), (rows.test, 0.1)):
        assert len(part) > 0
        assert abs(len(part) - share * sum(sizes)) <= max(sizes)


def test_what_groups_are_called_is_no_matter_and_the_seed_is():
    numbers = np.repeat(np.arange(30), 3)
    words = np.array([f"patient {(number * 7) % 30:02}" for number in numbers])
    first, again = (parts_of(split_by_group(names, 0.2, 0.1, 5)) for names in (numbers, words))
    for part, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(part, same)
    assert not np.array_equal(split_by_group(numbers, 0.2, 0.1, 6).validation, first[1])


def test_what_only_rows_of_a_group_share_cannot_be_learned_as_in_scikit_learns_split():
    """Each group has its own place and a class by chance: only a row of the same group tells it."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(100), 10)
    x = rng.normal(size=(100, 2))[groups] + rng.normal(0, 1e-3, (1000, 2))
    y = rng.integers(0, 2, 100)[groups]

    def score(train, test):
        return KNeighborsClassifier(1).fit(x[train], y[train]).score(x[test], y[test])

    ours = split_by_group(groups, 0.3, 0.0, 0)
    theirs = next(GroupShuffleSplit(1, test_size=0.3, random_state=0).split(x, y, groups))
    mixed = np.arange(1000) % 10 < 3
    assert score(np.flatnonzero(~mixed), np.flatnonzero(mixed)) == 1
    assert score(*theirs) < 0.75
    assert score(ours.train, ours.validation) < 0.75
    assert len(ours.validation) == len(theirs[1])


@given(
    times=st.lists(st.floats(-1e9, 1e9), min_size=3, max_size=100), validation=st.integers(0, 1), test=st.integers(0, 1)
)
def test_no_training_row_is_later_than_one_that_judges(times, validation, test):
    times = np.array(times)
    rows = split_by_time(len(times), validation, test, times)
    order = np.concatenate([times[part] for part in parts_of(rows)])
    assert [len(part) for part in parts_of(rows)] == [len(times) - validation - test, validation, test]
    assert times[rows.train].max() <= order[len(rows.train) :].min(initial=np.inf)


def test_without_a_column_the_rows_are_in_the_order_of_time():
    rows = split_by_time(10, 2, 3)
    assert [part.tolist() for part in parts_of(rows)] == [[0, 1, 2, 3, 4], [5, 6], [7, 8, 9]]


def test_given_parts_are_kept_and_validation_comes_out_of_the_training_rows_where_none_is_given():
    parts = np.array([0, 2, 1, 0, 0, 2])
    given_ = split_by_part(parts, 3, seed=0)
    assert [part.tolist() for part in parts_of(given_)] == [[0, 3, 4], [2], [1, 5]]
    classes = np.arange(100) % 4
    dealt = split_by_part(np.where(np.arange(100) < 80, 0, 2), 20, 0, classes)
    assert dealt.test.tolist() == list(range(80, 100))
    assert max(dealt.validation) < 80
    assert np.bincount(classes[dealt.validation]).tolist() == [5, 5, 5, 5]
    assert sorted([*dealt.train, *dealt.validation]) == list(range(80))
