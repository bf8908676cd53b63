"""From an uploaded file of any kind of table to its cells, or the reason why it has none."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from api_schemas.datasets import Format
from training.data.columnar import read_feather, read_json_lines, read_parquet
from training.data.compression import unpacked
from training.data.delimited import read_delimited
from training.data.raw import RawTable, Source
from training.data.refusal import Limits, UnreadableTable

__all__ = ["TABLES", "Cells", "Limits", "UnreadableTable", "read"]

Cells = RawTable

TABLES: dict[Format, Callable[[Source], RawTable]] = {
    "csv": partial(read_delimited, separator=None),
    "tsv": partial(read_delimited, separator="\t"),
    "parquet": read_parquet,
    "feather": read_feather,
    "jsonl": read_json_lines,
}
"""How each kind of table is read."""


def read(
    path: Path,
    format: Format,  # noqa: A002 - the contract's own word
    limits: Limits = Limits(),  # noqa: B008 - frozen
    tell: Callable[[int], None] = lambda _: None,
) -> RawTable:
    """Read every cell of a file; rows with nothing in them are left out.

    Args:
        path: the uploaded bytes, plain or compressed with gzip or Zstandard.
        format: what they claim to be.
        limits: what they have to keep.
        tell: hears how many rows have been read.

    Raises:
        UnreadableTable: when it is empty, damaged, too large, not a table, not UTF-8, or its rows are of different
            lengths.
    """
    if not path.stat().st_size:
        raise UnreadableTable("empty_file", "the file is empty; upload one with a header and rows")
    with tempfile.TemporaryDirectory(dir=limits.scratch) as scratch:
        plain = unpacked(path, Path(scratch), limits)
        return TABLES[format](Source(plain, limits, tell))
