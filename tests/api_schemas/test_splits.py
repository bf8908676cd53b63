"""A split is settled from the roles of the columns, and refused where it does not fit them."""

import pytest

from api_schemas.datasets import Column, ColumnStats, Split
from api_schemas.errors import InvalidRequest
from api_schemas.splits import part_rows, settle_split


def column(name, role="feature", type_="category", missing=0, **stats):
    return Column(name=name, type=type_, role=role, stats=ColumnStats(missing=missing, distinct=3, **stats))


def given_by(counts, **about):
    return column("part", "split", categories=list(counts), counts=list(counts.values()), **about)


PATIENT = column("patient", "group", "text", group_sizes={10: 10})
AGE = column("age", type_="numeric")


@pytest.mark.parametrize(
    ("columns", "classes", "method", "by"),
    [
        ([], 3, "stratified", None),
        ([AGE], 0, "random", None),
        ([AGE, PATIENT], 3, "grouped", "patient"),
        ([PATIENT, given_by({"train": 8, "test": 2})], 3, "column", "part"),
    ],
)
def test_the_roles_of_the_columns_say_how_to_split(columns, classes, method, by):
    settled = settle_split(Split(), columns, classes)
    assert (settled.method, settled.column) == (method, by)
    assert settle_split(settled, columns, classes) == settled


@pytest.mark.parametrize(
    ("counts", "asked", "sizes"),
    [
        ({"Train": 70, "dev": 20, "TEST": 10}, {}, (70, 20, 10)),
        ({"train": 80, "test": 20}, {}, (64, 16, 20)),
        ({"train": 80, "test": 20}, {"validation": 0.0}, (80, 0, 20)),
        ({"0": 30, "1": 30, "2": 40}, {"parts": {"0": "test", "1": "validation", "2": "train"}}, (40, 30, 30)),
        ({"train": 60, "extra": 30, "val": 10}, {"parts": {"extra": "train"}}, (90, 10, 0)),
    ],
)
def test_a_column_of_parts_says_how_many_rows_each_has(counts, asked, sizes):
    columns = [given_by(counts)]
    split = settle_split(Split(**asked), columns, 0)
    assert part_rows(split, columns, 100) == sizes


@pytest.mark.parametrize(
    ("asked", "columns", "pointer", "says"),
    [
        ({"method": "stratified"}, [AGE], "/split/method", "'random'"),
        ({"method": "grouped"}, [AGE], "/split/method", "role 'group'"),
        ({"method": "column"}, [AGE], "/split/method", "role 'split'"),
        ({"method": "grouped", "column": "age"}, [AGE], "/split/column", "role 'group'"),
        ({"method": "grouped", "column": "patent"}, [AGE, PATIENT], "/split/column", "'patient'"),
        ({"method": "grouped"}, [PATIENT, column("ward", "group", group_sizes={5: 2})], "/split/column", "2 columns"),
        ({"method": "grouped"}, [column("ward", "group")], "/split/column", "again"),
        ({"method": "time", "column": "part"}, [given_by({"train": 1})], "/split/column", "numbers or dates"),
        (
            {"method": "time", "column": "age"},
            [column("age", type_="numeric", missing=2)],
            "/split/column",
            "2 missing",
        ),
        ({"method": "random", "column": "age"}, [AGE], "/split/column", "leave it out"),
        ({"method": "random", "parts": {"a": "test"}}, [AGE], "/split/parts", "'column'"),
        ({}, [given_by({"train": 5, "fold 1": 5})], "/split/parts", "'fold 1'"),
        ({"parts": {"fold": "test"}}, [given_by({"train": 5, "fold 1": 5})], "/split/parts/fold", "'fold 1'"),
        ({}, [column("part", "split")], "/split/column", "too many"),
        ({}, [given_by({"train": 5}, missing=1)], "/split/column", "1 missing"),
    ],
)
def test_a_split_that_does_not_fit_the_columns_is_refused_with_what_to_write(asked, columns, pointer, says):
    with pytest.raises(InvalidRequest) as refused:
        settle_split(Split(**asked), columns, 0)
    (fault,) = refused.value.faults
    assert fault.pointer == pointer
    assert says in fault.message


def test_text_is_split_by_time():
    assert settle_split(Split(), [], 65, text=True).method == "time"
    with pytest.raises(InvalidRequest, match="leave method out"):
        settle_split(Split(method="random"), [], 65, text=True)


def test_groups_leave_no_row_to_train_only_where_there_are_too_few():
    columns = [column("patient", "group", "text", group_sizes={50: 2})]
    split = settle_split(Split(validation=0.2, test=0.2), columns, 0)
    assert part_rows(split, columns, 100) == (0, 50, 50)
