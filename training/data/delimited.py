"""Text tables, CSV and TSV: their separator, their header, their cells as numbers where they are numbers."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import polars as pl

from training.data.plain import MISSING, with_point, without_missing
from training.data.raw import RawTable, Source, raw_table, usable_names
from training.data.refusal import UnreadableTable

_SAMPLE_BYTES = 1 << 20
_SAMPLE_ROWS = 1000
_BATCH_CELLS = 2_000_000
"""So many are text at a time, at about 30 bytes each."""
_SIGNATURES = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "an Excel workbook or a zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"PAR1": "a Parquet file",
    b"ARROW1": "a Feather file",
    b"<": "a web page or XML",
    b"{": "JSON",
    b"[": "JSON",
}


def read_delimited(source: Source, separator: str | None) -> RawTable:
    """Read a text file with a header.

    Args:
        source: UTF-8.
        separator: between two fields; None for the one of comma, semicolon and tab that makes most columns of the
            header. In files with semicolons 3,5 is three and a half.

    Raises:
        UnreadableTable: when it is no table, not UTF-8, its rows are of different lengths, or it is too large.
    """
    _check_kind(source.path)
    header, separator = _header(source.path, separator)
    names = usable_names(header, source.limits)
    try:
        columns = _Reading(source, separator, len(names)).columns()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        _explain(error, source.path, separator, len(names))
    if columns[-1].null_count() and _may_be_ragged(source.path, separator, len(names)):
        # polars pads a short row with nothing.
        _check_lengths(source.path, separator, len(names))
    return raw_table(names, columns, decimal_comma=separator == ";")


class _Reading:
    """Reads a file batch by batch: columns of numbers at polars' own speed, the others as text.

    What looks like numbers in the first rows is parsed as such, and only the words for a missing value that stand there
    are looked for, since looking for any takes a third longer. Where that fails the file is read again with every such
    word, and where that fails too, as text, which takes about twice as long.
    """

    def __init__(self, source: Source, separator: str, width: int) -> None:
        self._source, self._separator, self._width = source, separator, width
        self._text = pl.scan_csv(source.path, separator=separator, infer_schema=False)
        self._names = self._text.collect_schema().names()
        if len(self._names) != width:
            raise UnreadableTable(
                "not_a_table", "the header cannot be told from the rows; check the quotes of the first line"
            )

    def columns(self) -> list[pl.Series]:
        """Float64 or text, null where a value is missing, each in one piece."""
        first = self._text.head(_SAMPLE_ROWS).collect(engine="streaming")
        numeric = {
            name for name in self._names if (sample := self._numbers(first[name])) is not None and sample.count()
        }
        words = set[str]().union(*(first[name].drop_nulls() for name in numeric))
        for missing in ([word for word in MISSING if word in words], MISSING):
            try:
                return self._collected(self._typed(numeric, missing), set(numeric))
            except pl.exceptions.ComputeError:
                continue
        return self._collected(self._text, set(self._names))

    def _typed(self, numeric: set[str], missing: Sequence[str]) -> pl.LazyFrame:
        return pl.scan_csv(
            self._source.path,
            separator=self._separator,
            schema={name: pl.Float64 if name in numeric else pl.String for name in self._names},
            null_values=missing or None,
            decimal_comma=self._separator == ";",
        )

    def _collected(self, scan: pl.LazyFrame, numeric: set[str]) -> list[pl.Series]:
        parts: dict[str, list[pl.Series]] = {name: [] for name in self._names}
        rows, again = 0, set[str]()
        for batch in scan.collect_batches(chunk_size=max(1, _BATCH_CELLS // self._width)):
            rows += batch.height
            self._source.limits.check_rows(rows)
            self._source.limits.check_bytes(8 * rows * self._width, "the table")
            for name in self._names:
                values = self._numbers(batch[name]) if name in numeric else without_missing(batch[name])
                if values is None:  # from here on it is text, and so it was before
                    numeric.remove(name)
                    again.add(name)
                    parts[name] = []
                elif name not in again:
                    parts[name].append(values)
            self._source.tell(rows)
        for name in again:
            parts[name] = [without_missing(self._text.select(name).collect(engine="streaming")[name])]
        joined = pl.DataFrame([_joined(parts.pop(name)).alias(name) for name in self._names])
        return joined.rechunk().get_columns()  # on all cores

    def _numbers(self, cells: pl.Series) -> pl.Series | None:
        """The cells as Float64; None where one is neither a finite number nor missing."""
        if cells.dtype == pl.String:
            present = without_missing(cells)
            cells = (with_point(present) if self._separator == ";" else present).cast(pl.Float64, strict=False)
            if cells.null_count() > present.null_count():
                return None
        if cells.is_finite().all():
            return cells
        known = cells.fill_nan(None)  # a parser takes nan for a number
        return known if known.is_finite().all() else None


def _joined(parts: list[pl.Series]) -> pl.Series:
    return pl.concat(parts, rechunk=False) if parts else pl.Series(dtype=pl.Float64)


def _check_kind(path: Path) -> None:
    with path.open("rb") as file:
        sample = file.read(_SAMPLE_BYTES)
    start = sample.removeprefix(codecs.BOM_UTF8).lstrip()
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UnreadableTable("not_utf8", "the text is UTF-16; save it as UTF-8")
    for signature, kind in _SIGNATURES.items():
        if start.startswith(signature):
            raise UnreadableTable("not_a_table", f"this is {kind}; export the table as CSV with a header")
    if not start:
        raise UnreadableTable("empty_file", "the file holds blank lines only; upload one with a header and rows")
    if b"\0" in sample:
        line = sample.count(b"\n", 0, sample.index(b"\0")) + 1
        raise UnreadableTable("not_a_table", f"line {line} holds a NUL byte; this is no text")
    if b"\n" not in sample and b"\r" in sample:
        raise UnreadableTable("not_a_table", "no line ends as it should; save the table with LF or CRLF line ends")
    if b"\n" not in sample and len(sample) == _SAMPLE_BYTES:
        raise UnreadableTable("not_a_table", "the first line is longer than a megabyte; begin with the columns' names")


def _header(path: Path, separator: str | None) -> tuple[list[str], str]:
    """The fields of the first line, and what separates them."""
    marks = [separator] if separator else [",", ";", "\t"]
    headers = {mark: _first_line(path, mark) for mark in marks}
    best = max(headers, key=lambda mark: len(headers[mark]))
    return headers[best], best


def _first_line(path: Path, separator: str) -> list[str]:
    """Its fields; none where this cannot be what separates them."""
    try:
        return next(_records(path, separator, strict=False), [])
    except UnreadableTable as error:
        if error.fault.code == "not_utf8":
            raise
        return []


def _records(path: Path, separator: str, *, strict: bool = True) -> Iterator[list[str]]:
    """The fields of each row, the header's first.

    Raises:
        UnreadableTable: where a field is too long, no UTF-8 or, if strict, quotes do not match.
    """
    row = 0
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            for row, fields in enumerate(csv.reader(file, delimiter=separator, strict=strict), 1):  # noqa: B007 - for the error
                yield fields
        except csv.Error as error:
            raise UnreadableTable("not_a_table", f"row {row} cannot be read ({error}); check its quotes") from error
        except UnicodeDecodeError:
            _check_encoding(path)
            raise


def _explain(error: BaseException, path: Path, separator: str, width: int) -> NoReturn:
    """Find out why polars does not read a file; slow, and it looks at every byte.

    Raises:
        UnreadableTable: always.
    """
    _check_encoding(path)
    _check_lengths(path, separator, width)
    reason = str(error).splitlines()[0][:200]
    raise UnreadableTable("not_a_table", f"the file cannot be read as a table ({reason}); check its quotes") from error


def _check_encoding(path: Path) -> None:
    decoder, line = codecs.getincrementaldecoder("utf-8")(), 0
    with path.open("rb") as file:
        while chunk := file.read(_SAMPLE_BYTES):
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


def _may_be_ragged(path: Path, separator: str, width: int) -> bool:
    """Whether a line has too few separators, or a quoted field goes on in the next one; quick, in little memory."""
    line = pl.col("line")
    bare = line.str.replace_all('"[^"]*"', "")
    short = (bare.str.count_matches(separator, literal=True) < width - 1) & (line.str.strip_chars("\r") != "")
    suspect = short | bare.str.contains('"', literal=True)
    return bool(pl.scan_lines(path).select(suspect.any()).collect(engine="streaming").item())


def _check_lengths(path: Path, separator: str, width: int) -> None:
    for row, fields in enumerate(_records(path, separator)):
        if fields and len(fields) != width:
            raise UnreadableTable(
                "ragged_row",
                f"row {row} has {len(fields)} {'field' if len(fields) == 1 else 'fields'} and the header has {width}; "
                "give every row as many, and put quotes round a field that holds the separator",
            )
