"""Tables whose file knows its columns: Parquet, Feather and JSON lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

from training.data.plain import plain_types, without_missing
from training.data.raw import RawTable, Source, raw_table, usable_names
from training.data.refusal import UnreadableTable


def read_parquet(source: Source) -> RawTable:
    """Read a Parquet file, as polars, pandas, Arrow and Spark write it.

    Raises:
        UnreadableTable: when it is none, is damaged or too large, or a column holds no plain values.
    """
    return _read(source, pl.scan_parquet, "Parquet table")


def read_feather(source: Source) -> RawTable:
    """Read a Feather file, version 2, which is an Arrow IPC file.

    Raises:
        UnreadableTable: as `read_parquet`.
    """
    return _read(source, pl.scan_ipc, "Feather file, version 2,")


def read_json_lines(source: Source) -> RawTable:
    """Read a file with a JSON object on each line, whose names are the columns.

    Raises:
        UnreadableTable: as `read_parquet`.
    """
    return _read(source, _scan_json_lines, "file of JSON objects, one on each line,")


def _scan_json_lines(path: Path) -> pl.LazyFrame:
    return pl.scan_ndjson(path, infer_schema_length=None)


def _read(source: Source, scan: Callable[[Path], pl.LazyFrame], kind: str) -> RawTable:
    try:
        frame = _checked(source, scan(source.path)).collect(engine="streaming")
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0][:200]
        raise UnreadableTable("not_a_table", f"this is no {kind} of plain columns: {reason}") from error
    source.tell(frame.height)
    return raw_table(frame.columns, [_cells(column) for column in frame.get_columns()])


def _checked(source: Source, lazy: pl.LazyFrame) -> pl.LazyFrame:
    """The plan to read the file, once what it says of itself is within the limits."""
    schema = lazy.collect_schema()
    names = usable_names(schema.names(), source.limits)
    for name, dtype in zip(names, schema.dtypes(), strict=True):
        if dtype.is_nested() or isinstance(dtype, pl.Binary | pl.Object | pl.Duration):
            raise UnreadableTable("not_a_table", f"column {name!r} holds {dtype}, not plain values; take it out")
    rows = lazy.select(pl.len()).collect(engine="streaming").item()
    source.limits.check_rows(rows)
    source.limits.check_bytes(8 * rows * len(names), "the table")
    return plain_types(lazy).rename(dict(zip(schema.names(), names, strict=True)))


def _cells(column: pl.Series) -> pl.Series:
    if column.dtype == pl.Float64:
        return column.fill_nan(None)
    text = without_missing(column)
    numbers = text.cast(pl.Float64, strict=False)
    odd = numbers.null_count() > text.null_count() or not numbers.drop_nulls().is_finite().all()
    return text if odd else numbers
