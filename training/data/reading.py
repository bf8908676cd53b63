"""The cells of an uploaded file as text, or the reason why it has none."""

from __future__ import annotations

import codecs
import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import polars as pl

from api_schemas.datasets import Format
from api_schemas.errors import Fault

MAX_COLUMNS = 10_000
MAX_NAME = 1000
"""Characters of a column's name, as a job or a correction may give it."""
_SAMPLE_BYTES = 1 << 20
_SIGNATURES = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "an Excel workbook or a zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\x1f\x8b": "a gzip archive",
    b"PAR1": "a Parquet file",
    b"<": "a web page or XML",
    b"{": "JSON",
    b"[": "JSON",
}


class UnreadableTable(Exception):
    """The file cannot be used as a table.

    Attributes:
        fault: where, under which code, and what a person can do about it.
    """

    def __init__(self, code: str, message: str, pointer: str = "/file") -> None:
        super().__init__(message)
        self.fault = Fault(pointer=pointer, code=code, message=message)


@dataclass(frozen=True)
class Cells:
    """A table before anything is inferred from it."""

    columns: dict[str, pl.Series]
    """Text of each column, in the file's order; null where the file has nothing."""
    row_numbers: pl.Series
    """The row of each cell in the file, counted from 1 below the header."""
    decimal_comma: bool = False
    """Whether 3,5 may mean three and a half, as in files whose separator is a semicolon."""


def read(path: Path, format: Format) -> Cells:  # noqa: A002 - the contract's own word
    """Read every cell of a file as text; rows with nothing in them are left out.

    Raises:
        UnreadableTable: when it is empty, not a table, not UTF-8, or its rows are of different lengths.
    """
    if not path.stat().st_size:
        raise UnreadableTable("empty_file", "the file is empty; upload one with a header and rows")
    return _read_parquet(path) if format == "parquet" else _read_text(path, "\t" if format == "tsv" else None)


def _read_parquet(path: Path) -> Cells:
    try:
        frame = pl.read_parquet(path)
        frame.columns = _usable_names(frame.columns)
        _refuse_nested(frame)
        columns = frame.cast(pl.String).to_dict()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0][:200]
        raise UnreadableTable("not_a_table", f"this is no Parquet table of plain columns: {reason}") from error
    return _without_empty_rows(columns, decimal_comma=False)


def _refuse_nested(frame: pl.DataFrame) -> None:
    for name, dtype in frame.schema.items():
        if dtype.is_nested() or isinstance(dtype, pl.Binary | pl.Object):
            raise UnreadableTable("not_a_table", f"column {name!r} holds {dtype}, not plain values; take it out")


def _read_text(path: Path, separator: str | None) -> Cells:
    with path.open("rb") as file:
        sample = file.read(_SAMPLE_BYTES)
    _refuse_other_kinds(sample)
    _refuse_other_encodings(path)
    names, separator = _header(path, separator)
    frame = _parse(path, separator, len(names))
    # polars pads a short row with nothing, so only a gap in the last column can hide one: the slow look is rare.
    if frame.width != len(names) or frame[:, -1].null_count():
        _refuse_ragged(path, separator, len(names))
    if frame.width != len(names):
        raise UnreadableTable(
            "not_a_table", "the header cannot be told from the rows; check the quotes of the first line"
        )
    columns = dict(zip(names, frame.get_columns(), strict=True))
    return _without_empty_rows(columns, decimal_comma=separator == ";")


def _refuse_other_kinds(sample: bytes) -> None:
    start = sample.removeprefix(codecs.BOM_UTF8).lstrip()
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UnreadableTable("not_utf8", "the text is UTF-16; save it as UTF-8")
    for signature, kind in _SIGNATURES.items():
        if start.startswith(signature):
            raise UnreadableTable("not_a_table", f"this is {kind}; export the table as CSV with a header")
    if not start:
        raise UnreadableTable("empty_file", "the file holds blank lines only; upload one with a header and rows")
    if b"\n" not in sample and (b"\r" in sample or len(sample) == _SAMPLE_BYTES):
        raise UnreadableTable(
            "not_a_table", "no line ends in the first megabyte; save the table with LF or CRLF line ends"
        )


def _refuse_other_encodings(path: Path) -> None:
    decoder, line = codecs.getincrementaldecoder("utf-8")(), 0
    with path.open("rb") as file:
        while chunk := file.read(_SAMPLE_BYTES):
            if b"\0" in chunk:
                row = line + chunk.count(b"\n", 0, chunk.index(b"\0"))
                raise UnreadableTable("not_a_table", f"line {row + 1} holds a NUL byte; this is no text")
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                line += error.object.count(b"\n", 0, error.start)
                raise UnreadableTable("not_utf8", f"line {line + 1} is not UTF-8; save the file as UTF-8") from error
            line += chunk.count(b"\n")
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise UnreadableTable("not_utf8", "the file ends within a character; upload it whole") from error


def _records(path: Path, separator: str, *, strict: bool = True) -> Iterator[list[str]]:
    """The fields of each row, the header's first.

    Raises:
        UnreadableTable: where a field is too long or, if strict, quotes do not match.
    """
    row = 0
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            for row, fields in enumerate(csv.reader(file, delimiter=separator, strict=strict), 1):  # noqa: B007 - for the error
                yield fields
        except csv.Error as error:
            raise UnreadableTable("not_a_table", f"row {row} cannot be read ({error}); check its quotes") from error


def _header(path: Path, separator: str | None) -> tuple[list[str], str]:
    """The column names, and the separator: the one that makes most columns of the first line."""
    marks = [separator] if separator else [",", ";", "\t"]
    headers = {mark: next(_records(path, mark, strict=False), []) for mark in marks}
    best = max(headers, key=lambda mark: len(headers[mark]))
    return _usable_names(headers[best]), best


def column_names(header: list[str]) -> list[str]:
    """What the columns are called; one without a name is called by its place, counted from 1."""
    return [name.strip() or f"column_{place}" for place, name in enumerate(header, 1)]


def _usable_names(header: list[str]) -> list[str]:
    names = column_names(header)
    if not names:
        raise UnreadableTable("not_a_table", "the first line is blank; begin the file with the names of its columns")
    if len(names) > MAX_COLUMNS:
        raise UnreadableTable("too_many_columns", f"{len(names)} columns; at most {MAX_COLUMNS} are read")
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise UnreadableTable("duplicate_column", f"{times} columns are called {name!r}; give each its own name")
    longest = max(names, key=len)
    if len(longest) > MAX_NAME:
        place, length = names.index(longest) + 1, len(longest)
        raise UnreadableTable(
            "long_name", f"the name of column {place} has {length} characters; shorten it to at most {MAX_NAME}"
        )
    return names


def _parse(path: Path, separator: str, width: int) -> pl.DataFrame:
    try:
        return pl.read_csv(path, separator=separator, infer_schema=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        _refuse_ragged(path, separator, width)
        _refuse_unparsed(error)


def _refuse_unparsed(error: BaseException) -> NoReturn:
    reason = str(error).splitlines()[0][:200]
    raise UnreadableTable("not_a_table", f"the file cannot be read as a table ({reason}); check its quotes") from error


def _refuse_ragged(path: Path, separator: str, width: int) -> None:
    for row, fields in enumerate(_records(path, separator)):
        if fields and len(fields) != width:
            raise UnreadableTable(
                "ragged_row",
                f"row {row} has {len(fields)} {'field' if len(fields) == 1 else 'fields'} and the header has {width}; "
                "give every row as many, and put quotes round a field that holds the separator",
            )


def _without_empty_rows(columns: dict[str, pl.Series], *, decimal_comma: bool) -> Cells:
    stripped = [column.str.strip_chars().alias(str(place)) for place, column in enumerate(columns.values())]
    frame = pl.DataFrame(stripped).with_row_index("row", offset=1)
    cells = pl.exclude("row")
    frame = frame.filter(pl.any_horizontal(cells.is_not_null() & (cells != "")))
    if not frame.height:
        raise UnreadableTable("no_rows", "the file has a header and no rows below it; add some")
    kept = dict(zip(columns, frame.drop("row").get_columns(), strict=True))
    return Cells(columns=kept, row_numbers=frame["row"], decimal_comma=decimal_comma)
