"""Tables as other programs write them: each holds the same four columns and reads the same."""

import csv
import gzip
import io
import json
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
import zstandard

from training.data.refusal import Limits
from training.data.tables import UnreadableTable, inspect

ROWS = 60
DAYS = [date(2024, 1, 1) + timedelta(days=row) for row in range(ROWS)]
PRICES = [None if row == 7 else row * 1.25 - 3 for row in range(ROWS)]
COLOURS = [None if row == 9 else ("blé, dur", 'so-called "red"')[row % 2] for row in range(ROWS)]
SOLD = [row % 3 == 0 for row in range(ROWS)]


def frame():
    return pl.DataFrame({"when": DAYS, "price": PRICES, "colour": COLOURS, "sold": SOLD})


def text(*, missing, truth=("False", "True"), names=False, comma=False, quoting=csv.QUOTE_MINIMAL, **dialect):
    """A CSV by Python's own writer; with the names of the rows in front, as pandas and R have them."""
    out = io.StringIO()
    quiet = csv.writer(out, quoting=quoting, **dialect)
    quiet.writerow([*([""] if names else []), "when", "price", "colour", "sold"])
    for row, (day, price, colour, sold) in enumerate(zip(DAYS, PRICES, COLOURS, SOLD, strict=True)):
        number = missing if price is None else str(price).replace(".", ",") if comma else price
        cells = [day.isoformat(), number, missing if colour is None else colour, truth[sold]]
        quiet.writerow([*([row] if names else []), *cells])
    return out.getvalue()


def by_r(*, comma):
    """`write.csv` and, with a decimal comma, `write.csv2`: row names, every text in quotes, NA without them."""
    separator = ";" if comma else ","
    lines = [separator.join(f'"{name}"' for name in ("", "when", "price", "colour", "sold"))]
    for row, (day, price, colour, sold) in enumerate(zip(DAYS, PRICES, COLOURS, SOLD, strict=True), 1):
        number = "NA" if price is None else str(price).replace(".", "," if comma else ".")
        word = "NA" if colour is None else '"' + colour.replace('"', '""') + '"'
        lines.append(separator.join([f'"{row}"', day.isoformat(), number, word, str(sold).upper()]))
    return "\n".join(lines) + "\n"


def by_polars(write, **options):
    out = io.BytesIO()
    getattr(frame(), write)(out, **options)
    return out.getvalue()


def by_pandas_as_lines():
    """`to_json(orient="records", lines=True, date_format="iso")`."""
    rows = zip(DAYS, PRICES, COLOURS, SOLD, strict=True)
    return "".join(
        json.dumps({"when": f"{day}T00:00:00.000", "price": price, "colour": colour, "sold": sold}) + "\n"
        for day, price, colour, sold in rows
    )


FILES = {
    "pandas' to_csv": ("csv", lambda: text(missing="", names=True, lineterminator="\n")),
    "pandas' to_csv, compressed with gzip": ("csv", lambda: gzip.compress(text(missing="").encode())),
    "pandas' to_csv, compressed with Zstandard": ("csv", lambda: zstandard.compress(text(missing="").encode())),
    "R's write.csv": ("csv", lambda: by_r(comma=False)),
    "R's write.csv2": ("csv", lambda: by_r(comma=True)),
    "Excel in a land of decimal commas": (
        "csv",
        lambda: "\ufeff" + text(missing="", truth=("FALSCH", "WAHR"), comma=True, delimiter=";") + ";;;\r\n" * 3,
    ),
    "MySQL's tab-separated dump": ("tsv", lambda: text(missing="\\N", delimiter="\t", truth="01")),
    "everything in quotes": ("csv", lambda: text(missing="NULL", quoting=csv.QUOTE_ALL)),
    "polars' Parquet": ("parquet", lambda: by_polars("write_parquet")),
    "Spark's Parquet": ("parquet", lambda: by_polars("write_parquet", compression="snappy", row_group_size=16)),
    "polars' Feather": ("feather", lambda: by_polars("write_ipc", compression="lz4")),
    "pandas' JSON lines": ("jsonl", by_pandas_as_lines),
    "JSON lines, compressed": ("jsonl", lambda: gzip.compress(by_pandas_as_lines().encode())),
}


@pytest.mark.parametrize("tool", FILES)
def test_the_same_table_reads_the_same_whatever_wrote_it(tmp_path, tool):
    form, content = FILES[tool]
    written = content()
    (tmp_path / "file").write_bytes(written.encode() if isinstance(written, str) else written)
    found = inspect(tmp_path / "file", form)
    columns = {column.name: column for column in found.columns if column.name != "column_1"}
    assert [(name, column.type) for name, column in columns.items()] == [
        ("when", "numeric"),
        ("price", "numeric"),
        ("colour", "category"),
        ("sold", "numeric" if tool.startswith("MySQL") else "category"),
    ]
    assert columns["when"].stats.dates
    assert columns["when"].stats.example.startswith("2024-01-01")
    days = (np.array(DAYS, dtype="datetime64[D]") - np.datetime64("1970-01-01")).astype(np.float64)
    np.testing.assert_array_equal(found.arrays["when"], days)
    np.testing.assert_array_equal(found.arrays["price"], [np.nan if price is None else price for price in PRICES])
    assert columns["price"].stats.missing_rows == [8]
    assert columns["colour"].stats.categories == ["blé, dur", 'so-called "red"']
    np.testing.assert_array_equal(found.arrays["colour"], [-1 if row == 9 else row % 2 for row in range(ROWS)])
    np.testing.assert_array_equal(found.arrays["sold"], SOLD)


@pytest.mark.parametrize(
    ("written", "days"),
    [
        ("2024-02-29", 19782.0),
        ("1969-12-31", -1.0),
        ("1970-01-01 06:00", 0.25),
        ("1970-01-01T18:00:00Z", 0.75),
        ("1970-01-01 00:00:00 UTC", 0.0),
        ("1970-01-01T00:00:00+06:00", -0.25),
        ("1970-01-01 00:00:00-0630", 6.5 / 24),
        ("1970-01-01 00:00:43.2", 0.0005),
    ],
)
def test_dates_and_times_are_days_since_1970(tmp_path, written, days):
    (tmp_path / "file").write_text(f"when,y\n{written},1\n1970-01-01,2\nNA,3\n")
    np.testing.assert_allclose(inspect(tmp_path / "file", "csv").arrays["when"], [days, 0.0, np.nan], atol=1e-12)


@pytest.mark.parametrize("written", ["31.01.2024", "01/02/2024", "2024-02-30", "Jan 31, 2024"])
def test_a_date_that_could_be_another_one_stays_text(tmp_path, written):
    (tmp_path / "file").write_text(f'when,y\n"{written}",1\n"{written}",2\n')
    (column, _) = inspect(tmp_path / "file", "csv").columns
    assert (column.type, column.stats.dates) == ("category", False)


def test_numbers_far_down_a_file_that_turn_into_words_are_words_from_its_start(tmp_path, monkeypatch):
    monkeypatch.setattr("training.data.delimited._SAMPLE_ROWS", 10)
    monkeypatch.setattr("training.data.delimited._BATCH_CELLS", 20)
    (tmp_path / "file").write_text("a,b\n" + "".join(f"0{row % 3},{row}\n" for row in range(500)) + "x,500\n")
    column = inspect(tmp_path / "file", "csv").columns[0]
    assert (column.type, column.stats.categories) == ("category", ["00", "01", "02", "x"])


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_a_compressed_file_that_is_cut_short_or_damaged_or_a_bomb_is_refused(tmp_path, compress):
    packed = compress(text(missing="NA").encode() * 50)
    for content, code in (
        (packed[: len(packed) // 2], "truncated"),
        (packed + b"some more", "damaged"),
        (compress(bytes(2 << 20)), "too_large"),
    ):
        (tmp_path / "file").write_bytes(content)
        with pytest.raises(UnreadableTable) as refused:
            inspect(tmp_path / "file", "csv", limits=Limits(bytes=1 << 20))
        assert refused.value.fault.code == code
