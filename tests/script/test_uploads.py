"""A script reads an uploaded file as the run did."""

import gzip

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_schemas.datasets import ColumnChoice, Dataset
from script.program import write_script
from tests.script.runs import job_of, played, trained
from training.data import plain
from training.data.several import inspect_tables
from training.data.tables import inspect

ROWS = 60
FORMS = ["csv", "semicolon", "tsv", "parquet", "feather", "jsonl"]
WORDS = ["red", "green", 'a "dark" blue', "grey, light", "naïve"]


def dataset_of(found, form):
    return Dataset.model_validate(
        {"id": "ds_1", "name": "file", "state": "ready", "terminal": True, "created_at": "2024-01-01T00:00:00Z"}
        | {"version": 1, "sha256": "", "bytes": 0, "format": form, "rows": found.rows, "columns": found.columns}
    )


def table():
    """Numbers with holes, categories with holes, whole numbers as categories, text that no network learns from."""
    rng = np.random.default_rng(0)
    return {
        " size ": [None if place % 7 == 0 else float(value) for place, value in enumerate(rng.normal(size=ROWS))],
        "colour": [None if place % 9 == 0 else WORDS[place % 5] for place in range(ROWS)],
        "month": [place % 4 + 1 for place in range(ROWS)],
        "remark": [f"row {place}, as it came" for place in range(ROWS)],
        "seen": [f"2024-01-{place % 28 + 1:02} 12:{place:02}:30" for place in range(ROWS)],
        "": [1e-3 * place for place in range(ROWS)],
        "sold": [("no", "yes")[place % 3 == 0] for place in range(ROWS)],
        "price": [float(value) for value in rng.normal(1000, 300, ROWS)],
    }


def written(folder, form):
    frame = pl.DataFrame(table())
    path = folder / f"file.{form}"
    if form in ("parquet", "feather", "jsonl"):
        frame = frame.rename({" size ": "size", "": "extra"}).with_columns(pl.col("seen").str.to_datetime())
        getattr(frame, {"parquet": "write_parquet", "feather": "write_ipc", "jsonl": "write_ndjson"}[form])(path)
        return path
    separator, comma = {"csv": (",", False), "semicolon": (";", True), "tsv": ("\t", False)}[form]
    text = frame.write_csv(separator=separator, null_value="NA", decimal_comma=comma)
    content = ("\ufeff" + text.replace("\n", "\r\n") + "\r\n").encode()
    path.write_bytes(gzip.compress(content) if form == "tsv" else content)
    return path


CHOICES = [
    ColumnChoice(name="size", missing="median"),
    ColumnChoice(name="colour", missing="most_frequent"),
    ColumnChoice(name="month", type="category"),
    ColumnChoice(name="remark", role="ignore"),
]
JOBS = {
    "classes": {"target": "sold"},
    "numbers": {"target": "price", "loss": {"name": "huber"}, "preprocessing": {"target": {"name": "minmax"}}},
    "whole numbers as classes": {"target": "month", "loss": {"name": "cross_entropy"}},
}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """By format and job: what the run says and what the script prints."""
    expected, scripts = {}, []
    folder = tmp_path_factory.mktemp("uploads")
    for form in FORMS:
        path = written(folder, form)
        said = "csv" if form == "semicolon" else form
        found = inspect(path, said, CHOICES)
        for name, asked in JOBS.items():
            job = job_of(
                {"dataset": {"id": "ds_1"}, "training": {"epochs": 2, "batch_size": 16}, **asked},
                dataset_of(found, said),
            )
            program = folder / f"{form}-{len(scripts)}.py"
            program.write_text(write_script(job, dataset_of(found, said)))
            scripts.append([str(program), str(path)])
            expected[form, name] = trained(job, folder, dataset_of(found, said), found.arrays)
    return expected, dict(zip(expected, played(scripts, folder), strict=True))


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_script_of_several_files_takes_them_all_and_keeps_their_parts(tmp_path, form):
    frame = pl.DataFrame(table()).drop("remark", "").rename({" size ": "size"})
    files = {f"{part}.{form}": tmp_path / f"{part}.{form}" for part in ("train", "test", "test-2")}
    for path, rows in zip(files.values(), (frame[:40], frame[40:], frame[:0]), strict=True):
        rows.write_csv(path) if form == "csv" else rows.write_parquet(path)
    found = inspect_tables(files, form, [choice for choice in CHOICES if choice.name != "remark"])
    uploaded = [{"name": name, "sha256": "", "bytes": 0} for name in files]
    dataset = Dataset.model_validate(dataset_of(found, form).model_dump() | {"files": uploaded})
    job = job_of({"dataset": {"id": "ds_1"}, "target": "sold", "training": {"epochs": 2, "batch_size": 8}}, dataset)
    (tmp_path / "run.py").write_text(write_script(job, dataset))
    expected = trained(job, tmp_path, dataset, found.arrays)
    (printed,) = played([[str(tmp_path / "run.py"), *map(str, files.values())]], tmp_path)
    assert printed == expected
    assert any("test/accuracy" in line for line in expected)


def test_a_step_without_a_solution_ends_the_script_where_it_ended_the_run(tmp_path):
    """Shampoo decomposes sums of squared gradients, which leave float32 while every gradient is finite still."""
    rows = [",".join(f"{(row % prime - prime / 2) * 4}e18" for prime in (3, 5, 7, 11)) for row in range(60)]
    (tmp_path / "file.csv").write_text(
        "a,b,c,d,y\n" + "".join(f"{row},{place % 3}\n" for place, row in enumerate(rows))
    )
    found = inspect(tmp_path / "file.csv", "csv", ())
    spec = {"dataset": {"id": "ds_1"}, "target": "y", "preprocessing": {"numeric": {"name": "none"}}}
    spec |= {"model": {"name": "linear"}, "optimizer": {"name": "shampoo", "preconditioning_compute_steps": 40}}
    spec |= {"training": {"batch_size": 16}}
    dataset = dataset_of(found, "csv")
    job = job_of(spec, dataset)
    (tmp_path / "run.py").write_text(write_script(job, dataset))
    expected = trained(job, tmp_path, dataset, found.arrays)
    (printed,) = played([[str(tmp_path / "run.py"), str(tmp_path / "file.csv")]], tmp_path)
    assert expected[-1].startswith("step 39 loss ")
    assert printed[: len(expected)] == expected
    assert "LinAlgError" in printed[-1]


@pytest.mark.parametrize("name", JOBS)
@pytest.mark.parametrize("form", FORMS)
def test_a_script_reads_its_argument_and_prints_the_numbers_of_the_run(told, form, name):
    expected, printed = told
    assert printed[form, name] == expected[form, name]
    assert expected[form, name][-1].startswith("weights_sha256 ")


@given(
    cells=st.lists(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(), st.none()), min_size=1)
)
def test_plain_numbers_are_the_tables_numbers(tmp_path_factory, cells):
    path = tmp_path_factory.mktemp("cells") / "file.csv"
    path.write_text("row,x\n" + "".join(f"{row},{'' if cell is None else cell}\n" for row, cell in enumerate(cells)))
    columns, comma = plain.read_text(str(path), ",;\t")
    truth = inspect(path, "csv", [ColumnChoice(name="x", type="numeric")]).arrays["x"]
    np.testing.assert_array_equal(plain.as_numbers(columns["x"], comma), truth)


@given(
    cells=st.lists(st.sampled_from(["1", "01", "2.0", " 3 ", "a", "NA", "", "-4", "a b", 'say "b"', "x,y"]), min_size=2)
)
def test_plain_codes_are_the_tables_codes(tmp_path_factory, cells):
    path = tmp_path_factory.mktemp("cells") / "file.csv"
    quoted = ['"' + cell.replace('"', '""') + '"' for cell in cells]
    path.write_text("row,x\n" + "".join(f"{row},{cell}\n" for row, cell in enumerate(quoted)))
    found = inspect(path, "csv", [ColumnChoice(name="x", type="category")])
    columns, comma = plain.read_text(str(path), ",;\t")
    codes = plain.as_codes(columns["x"], found.columns[1].stats.categories, comma)
    np.testing.assert_array_equal(codes, found.arrays["x"])
