"""Uploaded files, as people and spreadsheets write them."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import datasets as sklearn_datasets

from api_schemas.datasets import ColumnChoice
from training.data import plain
from training.data.tables import UnreadableTable, inspect, load_arrays, save_arrays


@pytest.fixture
def upload(tmp_path):
    def write(content, kind="csv", **asked):
        path = tmp_path / "upload"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return inspect(path, kind, **asked)

    return write


@pytest.fixture
def refusal(upload):
    def of(content, kind="csv", **asked):
        with pytest.raises(UnreadableTable) as refused:
            upload(content, kind, **asked)
        return refused.value.fault

    return of


def column(inspection, name):
    return next(column for column in inspection.columns if column.name == name)


def test_numbers_categories_and_free_text_are_told_apart(upload):
    rows = "".join(f"{i / 2},{'abc'[i % 3]},note {i}\n" for i in range(60))
    found = upload("size,colour,remark\n" + rows)
    assert [(c.type, c.role) for c in found.columns] == [
        ("numeric", "feature"),
        ("category", "feature"),
        ("text", "ignore"),
    ]
    assert sorted(found.arrays) == ["colour", "size"]
    np.testing.assert_array_equal(found.arrays["size"], np.arange(60) / 2)
    np.testing.assert_array_equal(found.arrays["colour"], np.arange(60) % 3)
    assert column(found, "colour").stats.categories == ["a", "b", "c"]
    assert column(found, "colour").stats.counts == [20, 20, 20]


@pytest.mark.parametrize(
    ("what", "content"),
    [
        ("plain", "a,b\n1,x\n2,y\n"),
        ("no line end at the end", "a,b\n1,x\n2,y"),
        ("Windows line ends", "a,b\r\n1,x\r\n2,y\r\n"),
        ("byte order mark", "\ufeffa,b\n1,x\n2,y\n"),
        ("quotes", '"a","b"\n"1","x"\n"2","y"\n'),
        ("semicolons", "a;b\n1;x\n2;y\n"),
        ("tabs", "a\tb\n1\tx\n2\ty\n"),
        ("spaces round values", " a , b\n 1 , x\n 2 , y\n"),
        ("blank lines", "a,b\n1,x\n\n2,y\n\n"),
        ("empty rows of a spreadsheet", "a,b\n1,x\n,\n2,y\n,\n"),
    ],
)
def test_every_usual_way_to_write_a_csv_reads_the_same(upload, what, content):
    found = upload(content)
    assert found.rows == 2
    assert found.preview.columns == ["a", "b"]
    assert found.preview.rows == [[1.0, "x"], [2.0, "y"]]


def test_a_tsv_keeps_commas(upload):
    assert upload("a\tb\n1\tx, y\n2\tz\n", "tsv").preview.rows == [[1.0, "x, y"], [2.0, "z"]]


def test_a_quoted_field_may_hold_separators_quotes_and_line_ends(upload):
    assert upload('a,b\n1,"x, ""y""\nz"\n').preview.rows == [[1.0, 'x, "y"\nz']]


def test_semicolon_files_may_write_the_decimal_comma(upload):
    np.testing.assert_array_equal(upload("a;b\n3,5;1\n-0,25;2\n").arrays["a"], [3.5, -0.25])


@pytest.mark.parametrize("spelling", ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?", '""'])
def test_every_spelling_of_missing_is_counted_with_its_row(upload, spelling):
    found = upload(f"a,b,c\n1,x,1\n{spelling},{spelling},2\n3,y,3\n")
    np.testing.assert_array_equal(found.arrays["a"], [1, np.nan, 3])
    np.testing.assert_array_equal(found.arrays["b"], [0, -1, 1])
    for name in "ab":
        assert column(found, name).stats.missing == 1
        assert column(found, name).stats.missing_rows == [2]


@pytest.mark.parametrize("spelling", ["", "NA", "nan", "?"])
def test_a_spelling_of_missing_that_the_first_rows_do_not_have_is_one_further_down(upload, spelling):
    found = upload("a,b\n" + "1.5,2\n" * 3000 + f"{spelling},2\n")
    assert (column(found, "a").type, column(found, "a").stats.missing_rows) == ("numeric", [3001])
    assert column(found, "b").stats.missing == 0


def test_zero_is_one_value_whatever_its_sign(upload):
    assert column(upload("x\n0.0\n-0.0\n-1.5\n"), "x").stats.distinct == 2


def test_rows_keep_their_number_in_the_file_past_a_blank_line(upload):
    assert column(upload("a,b\n1,1\n\nNA,2\n"), "a").stats.missing_rows == [3]


def test_whole_numbers_are_also_classes_sorted_by_size(upload):
    stats = column(upload("q,x\n10,1.5\n3,2\n5.0,3\n3,4\n"), "q").stats
    assert (stats.integral, stats.categories, stats.counts) == (True, ["3", "5", "10"], [2, 1, 1])


def test_statistics_are_numpys(upload):
    values = np.random.default_rng(0).normal(3, 2, 200)
    stats = column(upload("a\n" + "\n".join(repr(float(value)) for value in values)), "a").stats
    assert (stats.minimum, stats.maximum, stats.distinct) == (values.min(), values.max(), 200)
    assert stats.mean == pytest.approx(values.mean(), rel=1e-12)
    assert stats.std == pytest.approx(values.std(), rel=1e-12)
    assert (stats.integral, stats.categories) == (False, [])


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e200])
def test_numbers_are_counted_in_ranges_as_numpy_counts_them(upload, scale):
    values = np.random.default_rng(0).normal(size=70_000) * scale
    found = upload("x,same,none\n" + "".join(f"{value!r},7,\n" for value in values.tolist()))
    assert column(found, "x").stats.bins == np.histogram(values, 20)[0].tolist()
    assert (column(found, "same").stats.bins, column(found, "none").stats.bins) == ([], [])


@pytest.mark.parametrize("ends", ["-1.7e308,1.7e308", "0,5e-324"])
def test_ranges_that_floats_cannot_tell_are_not_counted(upload, ends):
    assert column(upload("x\n" + ends.replace(",", "\n") + "\n"), "x").stats.bins == []


def test_the_first_value_that_is_no_number_is_named_with_its_row(upload):
    assert column(upload("a\n1\n2\nred\nblue\n"), "a").stats.not_numeric == "'red' in row 3"


def test_asking_numbers_of_a_text_column_names_value_and_row(refusal):
    fault = refusal("a,b\n1,1\nred,2\n", choices=[ColumnChoice(name="b"), ColumnChoice(name="a", type="numeric")])
    assert (fault.pointer, fault.code) == ("/columns/1/type", "not_numeric")
    assert "'red' in row 2" in fault.message


def test_choices_win_over_what_was_inferred(upload):
    found = upload(
        "a,b\n1,x\n2,y\n",
        choices=[
            ColumnChoice(name="a", type="category", missing="most_frequent"),
            ColumnChoice(name="b", role="ignore"),
        ],
    )
    assert (column(found, "a").type, column(found, "a").missing) == ("category", "most_frequent")
    np.testing.assert_array_equal(found.arrays["a"], [0, 1])
    assert column(found, "b").role == "ignore"


def test_the_target_is_classes_even_where_nearly_all_differ(upload):
    rows = "".join(f"{i},name {i}\n" for i in range(60))
    assert column(upload("a,b\n" + rows), "b").type == "text"
    found = upload("a,b\n" + rows, target="b")
    assert (column(found, "b").type, found.target) == ("category", "b")


@pytest.mark.parametrize(
    ("asked", "pointer", "code"),
    [
        ({"target": "qualty"}, "/target", "unknown_column"),
        ({"choices": [ColumnChoice(name="nope")]}, "/columns/0/name", "unknown_column"),
        ({"choices": [ColumnChoice(name="colour", missing="mean")]}, "/columns/0/missing", "not_numeric"),
        (
            {"choices": [ColumnChoice(name="colour", role="target")], "target": "quality"},
            "/columns/0/role",
            "two_targets",
        ),
    ],
)
def test_a_choice_that_does_not_fit_the_file_is_refused_at_its_place(refusal, asked, pointer, code):
    fault = refusal("quality,colour\n1,red\n2,blue\n", **asked)
    assert (fault.pointer, fault.code) == (pointer, code)


def test_an_unknown_target_is_told_the_nearest(refusal):
    assert "'quality'" in refusal("quality,colour\n1,red\n", target="qualty").message


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (b"", "empty_file", "empty"),
        (b"\n \n\n", "empty_file", "blank"),
        (b"a,b\n", "no_rows", "no rows"),
        (b"a,b\n\n\n", "no_rows", "no rows"),
        (b"a,b,c\n1,2,3\n1,2\n4,5,6\n", "ragged_row", "row 2 has 2 fields and the header has 3"),
        (b"a,b\n1,2\n1,2,3\n", "ragged_row", "row 2 has 3 fields"),
        (b"a,b,a\n1,2,3\n", "duplicate_column", "'a'"),
        ("a,b\n1,2\né,2\n".encode("latin-1"), "not_utf8", "line 3"),
        ("a,b\n1,2\n".encode("utf-16"), "not_utf8", "UTF-16"),
        (b"a,b\n1,\0\n", "not_a_table", "NUL"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "not_a_table", "PNG"),
        (b"PK\x03\x04rest of a workbook", "not_a_table", "Excel"),
        (b"%PDF-1.7\n1 0 obj\n", "not_a_table", "PDF"),
        (b"PAR1\x15\x04", "not_a_table", "Parquet"),
        (b"<!DOCTYPE html>\n<html></html>\n", "not_a_table", "web page"),
        (b'{"a": 1}\n', "not_a_table", "JSON"),
        (b"a,b\r1,2\r3,4\r", "not_a_table", "line ends"),
        (b'a,b\n1,"open\n2,3\n', "not_a_table", "quotes"),
        (b"a,b\n1,2\ninf,3\n", "not_finite", "'inf' in row 2"),
        (b"a,b\n1,2\n1e999,3\n", "not_finite", "'1e999' in row 2"),
    ],
)
def test_a_file_that_is_no_table_says_why_and_where(refusal, content, code, said):
    fault = refusal(content)
    assert (fault.pointer, fault.code) == ("/file", code)
    assert said in fault.message


def test_a_header_without_a_line_end_has_no_rows(refusal):
    assert refusal(b"a,b").code == "no_rows"


def test_infinity_in_a_text_column_is_a_word(upload):
    assert column(upload("a\ninf\nred\n"), "a").type == "category"


def test_too_many_columns_are_refused_before_they_are_read(refusal):
    assert refusal(",".join(f"c{i}" for i in range(10_001)) + "\n").code == "too_many_columns"


def test_a_parquet_file_reads_like_the_csv_of_the_same_table(upload, tmp_path):
    frame = pl.DataFrame(
        {"a": [1, None, 3], "b": ["x", "y", "x"], "c": [0.5, float("nan"), 2.5], "d": [True, False, True]}
    )
    frame.write_parquet(tmp_path / "table.parquet")
    found = upload((tmp_path / "table.parquet").read_bytes(), "parquet")
    assert [c.type for c in found.columns] == ["numeric", "category", "numeric", "category"]
    np.testing.assert_array_equal(found.arrays["a"], [1, np.nan, 3])
    np.testing.assert_array_equal(found.arrays["c"], [0.5, np.nan, 2.5])
    assert column(found, "d").stats.categories == ["false", "true"]


@pytest.fixture(params=["csv", "tsv", "parquet"])
def of_header(request, tmp_path):
    """A file of a kind with any header and a row of numbers, and the kind."""

    def write(*names):
        frame, path = pl.DataFrame({name: [1.0] for name in names}), tmp_path / "table"
        if request.param == "parquet":
            frame.write_parquet(path)
        else:
            frame.write_csv(path, separator="," if request.param == "csv" else "\t")
        return path.read_bytes(), request.param

    return write


def test_a_column_without_a_name_is_called_by_its_place_in_files_of_every_kind(upload, of_header):
    assert upload(*of_header("a", "", " b ", "  ")).preview.columns == ["a", "column_2", "b", "column_4"]


def test_a_script_knows_the_columns_by_the_same_names(upload, of_header, tmp_path):
    content, kind = of_header("a", "", " b ", "  ")
    (tmp_path / "table").write_bytes(content)
    path = str(tmp_path / "table")
    columns = plain.read_parquet(path) if kind == "parquet" else plain.read_text(path, ",\t")[0]
    assert list(columns) == upload(content, kind).preview.columns


@pytest.mark.parametrize(
    ("names", "code", "said"),
    [
        (["a", " a"], "duplicate_column", "2 columns are called 'a'"),
        (["column_2", ""], "duplicate_column", "2 columns are called 'column_2'"),
        (["a", "b" * 1001], "long_name", "column 2 has 1001 characters"),
    ],
)
def test_names_that_no_job_could_tell_are_refused_in_files_of_every_kind(refusal, of_header, names, code, said):
    fault = refusal(*of_header(*names))
    assert fault.code == code
    assert said in fault.message


@pytest.mark.parametrize("value", [[1, 2], {"x": 1}, b"\xff\xfe"])
def test_a_parquet_file_of_other_things_than_values_is_refused(refusal, tmp_path, value):
    pl.DataFrame({"a": [value]}).write_parquet(tmp_path / "table.parquet")
    assert refusal((tmp_path / "table.parquet").read_bytes(), "parquet").code == "not_a_table"


def test_a_preview_shows_dates_as_they_stand(upload, tmp_path):
    pl.DataFrame({"a": [date(2024, 1, 1), date(2024, 1, 2)]}).write_parquet(tmp_path / "table.parquet")
    assert upload((tmp_path / "table.parquet").read_bytes(), "parquet").preview.rows[0] == ["2024-01-01"]


@pytest.mark.parametrize("content", [b"PAR1", b"PAR1" + bytes(100) + b"PAR1", b"a,b\n1,2\n"])
def test_a_damaged_parquet_file_is_refused(refusal, content):
    assert refusal(content, "parquet").code == "not_a_table"


def test_what_will_disturb_training_is_said(upload):
    rows = "".join(
        f"{i + 1},7,{i % 7},{(i % 5) * 1000},{'' if i % 2 else 'x'}{'' if i % 2 else i % 3}\n" for i in range(40)
    )
    found = upload("row,same,small,large,gaps\n" + rows)
    assert {(fault.code, fault.pointer) for fault in found.warnings} == {
        ("looks_like_id", "/columns/0"),
        ("constant_column", "/columns/1"),
        ("scale_ratio", "/columns"),
        ("many_missing", "/columns/4"),
    }


def test_missing_values_dates_and_rare_classes_are_said_with_their_place(upload):
    rows = "".join(
        f"2024-01-{i % 28 + 1:02},{'' if i in (4, 9) else i % 7},{'rare' if i < 3 else 'common'}\n" for i in range(60)
    )
    found = upload("when,gap,kind\n" + rows, target="kind")
    said = {(fault.pointer, fault.code): fault.message for fault in found.warnings}
    assert said.keys() == {
        ("/columns/0", "read_as_days"),
        ("/columns/1", "missing_values"),
        ("/columns/2", "class_imbalance"),
    }
    assert "2 rows (rows 5, 10)" in said["/columns/1", "missing_values"]
    assert "57 rows of 'common' and 3 of 'rare'" in said["/columns/2", "class_imbalance"]


def suspected(found):
    return {fault.pointer: fault.message for fault in found.warnings if fault.code == "leakage_suspect"}


def test_a_column_that_alone_tells_the_class_is_suspected(upload):
    rng = np.random.default_rng(0)
    rows = "".join(
        f"{rng.integers(5)},{'' if ill else rng.integers(3)},{'treated' if ill else 'sent home'},{rng.normal()},{ill}\n"
        for ill in rng.choice(2, 400, p=[0.8, 0.2])
    )
    found = upload("ward,day,note,x,ill\n" + rows, target="ill")
    assert suspected(found).keys() == {"/columns/1", "/columns/2"}
    assert "tells 400 of 400 rows the class of 'ill'" in suspected(found)["/columns/2"]
    assert suspected(upload("ward,day,note,x,ill\n" + rows)) == {}


def test_a_column_that_is_the_target_in_other_units_is_suspected(upload):
    rng = np.random.default_rng(0)
    rows = "".join(
        f"{'' if place % 9 == 0 else -1.8 * price - 32 + rng.normal(0, 0.01)},{price + rng.normal(0, 0.2)},7,{price}\n"
        for place, price in enumerate(rng.normal(size=200))
    )
    found = upload("fahrenheit,near,same,celsius\n" + rows, target="celsius")
    assert suspected(found).keys() == {"/columns/0"}
    assert "correlation of -0.99" in suspected(found)["/columns/0"]


@pytest.mark.parametrize("name", ["breast_cancer", "diabetes", "iris", "wine"])
def test_no_column_of_the_tables_that_everybody_knows_is_suspected(upload, name):
    bunch = getattr(sklearn_datasets, f"load_{name}")()
    table = pl.DataFrame(bunch.data, schema=list(map(str, bunch.feature_names))).with_columns(y=bunch.target)
    assert suspected(upload(table.write_csv(), target="y")) == {}


def test_a_healthy_table_gets_no_warning(upload):
    rng = np.random.default_rng(0)
    rows = "".join(
        f"{x},{y},{'ab'[z]}\n"
        for x, y, z in zip(rng.normal(size=50), rng.normal(size=50), rng.integers(2, size=50), strict=True)
    )
    assert upload("x,y,z\n" + rows).warnings == []


def test_arrays_come_back_as_they_were_saved_whatever_the_columns_are_called(tmp_path):
    arrays = {"__metadata__": np.array([1.0, np.nan]), "größe/m²": np.array([0, -1], dtype=np.int32)}
    save_arrays(tmp_path / "arrays", arrays)
    loaded = load_arrays(tmp_path / "arrays")
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(loaded[name], array)
        assert loaded[name].dtype == array.dtype
    assert [path.name for path in tmp_path.iterdir()] == ["arrays"]


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=200) | st.text(alphabet='ab1,;\t"\n\r ?.e-', max_size=60).map(str.encode))
def test_no_bytes_at_all_crash_the_reader(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "upload"
    path.write_bytes(content)
    for kind in ("csv", "parquet"):
        try:
            found = inspect(path, kind)
        except UnreadableTable:
            continue
        assert found.rows > 0
        assert all(len(array) == found.rows for array in found.arrays.values())


def test_a_text_of_pages_is_no_category_so_that_a_dataset_stays_small_to_show(tmp_path):
    path = tmp_path / "file"
    path.write_text("a,b\n" + "".join(f"{'long' * 2000 if row % 2 else 'short'},{row}\n" for row in range(8)))
    assert [column.type for column in inspect(path, "csv").columns] == ["text", "numeric"]
    with pytest.raises(UnreadableTable, match="8,000 bytes") as refused:
        inspect(path, "csv", [ColumnChoice(name="a", type="category")])
    assert (refused.value.fault.code, refused.value.fault.pointer) == ("too_long_category", "/columns/0/type")
