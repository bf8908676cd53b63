"""Several files that are one table."""

import numpy as np
import pytest

from training.data.refusal import Limits
from training.data.several import inspect_tables
from training.data.tables import UnreadableTable


@pytest.fixture
def upload(tmp_path):
    def write(files, **asked):
        for name, content in files.items():
            (tmp_path / name).write_text(content)
        return inspect_tables({name: tmp_path / name for name in files}, "csv", **asked)

    return write


def test_files_that_are_named_for_their_parts_bring_their_split(upload):
    found = upload({"my-test.csv": "y,x\n1,a\n", "train_2.csv": "x,y\nb,2\nNA,3\n", "Dev.csv": "x,y\na,4\n"})
    columns = {column.name: column for column in found.columns}
    assert (columns["split"].role, columns["split"].stats.categories) == ("split", ["test", "train", "validation"])
    np.testing.assert_array_equal(found.arrays["split"], [0, 1, 1, 2])
    np.testing.assert_array_equal(found.arrays["y"], [1, 2, 3, 4])
    np.testing.assert_array_equal(found.arrays["x"], [0, 1, -1, 0])
    assert columns["x"].stats.missing_rows == [2]


def test_files_that_are_not_are_one_after_the_other(upload):
    found = upload({"part-0.csv": "x,y\n,1\n", "part-1.csv": "x,y\na,2\n"})
    assert [column.name for column in found.columns] == ["x", "y"]
    np.testing.assert_array_equal(found.arrays["y"], [1, 2])


def test_files_without_rows_are_passed_over_where_others_have_some(upload):
    found = upload({"part-0.csv": "x,y\n", "part-1.csv": "x,y\na,2\n", "part-2.csv": "x,y\n"})
    assert found.rows == 1
    with pytest.raises(UnreadableTable) as refused:
        upload({"part-0.csv": "x,y\n", "part-1.csv": "x,y\n"})
    assert refused.value.fault.code == "no_rows"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"train.csv": "x,y\n1,2\n", "test.csv": "x,z\n1,2\n"}, "'test.csv' has no column 'y'"),
        ({"train.csv": "x\n1\n", "test.csv": "x,z\n1,2\n"}, "'test.csv' has a column 'z' more"),
        ({"train.csv": "x,y\n1,2\n", "test.csv": "x,y\n1,red\n"}, "column 'y' holds numbers in one"),
        ({"train.csv": "x,y\n1,2\n", "test.csv": "x;y\n1;2\n"}, "other separators"),
        ({"train.csv": "x,y\n1,2\n", "more.csv": "x,y\n1,2\n"}, "'more.csv' says no part"),
        ({"train.csv": "x,split\n1,2\n", "test.csv": "x,split\n1,2\n"}, "has a column 'split' already"),
    ],
)
def test_files_that_do_not_agree_are_refused_by_name(upload, files, said):
    with pytest.raises(UnreadableTable, match=said):
        upload(files)


def test_the_limit_of_rows_is_for_all_files_together(upload):
    with pytest.raises(UnreadableTable) as refused:
        upload({"a.csv": "x\n1\n2\n", "b.csv": "x\n1\n2\n"}, limits=Limits(rows=3))
    assert refused.value.fault.code == "too_many_rows"
