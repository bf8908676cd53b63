"""Points as a Parquet file, which leaves while they are read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

from storage.points import Stretch

_PIECE_BYTES = 65536
_ROW_GROUP = 131_072
"""Rows that the writer keeps in memory: 3 MB."""


def parquet(points: Iterator[tuple[str, Stretch]]) -> Iterator[bytes]:
    """Every point as a row of `key`, `step` and `value`, none of which is ever missing; a NaN is one, with its bits.

    Measured values are mostly single precision, half of whose bytes are zeros as float64: split by bytes they compress.

    Args:
        points: series and some of its points, in the order in which they are written.
    """
    # It takes 14 MB, which a gateway that nobody asks for Parquet does not need.
    from arro3.core import DataType, Field, RecordBatchReader, Schema  # noqa: PLC0415
    from arro3.io import write_parquet  # noqa: PLC0415

    types = {"key": DataType.utf8(), "step": DataType.int64(), "value": DataType.float64()}
    schema = Schema([Field(name, kind, nullable=False) for name, kind in types.items()])
    rows = RecordBatchReader.from_batches(schema, (_batch(schema, key, part) for key, part in points))

    def write(file: IO[bytes]) -> None:
        write_parquet(
            rows,
            file,
            compression="zstd(1)",
            column_dictionary_enabled={"step": False, "value": False},
            column_encoding={"step": "delta_binary_packed", "value": "byte_stream_split"},
            max_row_group_size=_ROW_GROUP,
        )

    return _as_written(write)


def _batch(schema: Any, key: str, part: Stretch) -> Any:
    from arro3.core import Array, DataType, RecordBatch  # noqa: PLC0415

    keys = Array([key] * len(part), DataType.utf8())
    return RecordBatch.from_arrays([keys, Array.from_numpy(part.steps), Array.from_numpy(part.values)], schema=schema)


def _as_written(write: Callable[[IO[bytes]], None]) -> Iterator[bytes]:
    """What a function writes to a file, piece by piece while it does; what it raises is raised behind the last one."""
    reading, writing = os.pipe()

    def work() -> None:
        with os.fdopen(writing, "wb") as file:
            write(file)

    with ThreadPoolExecutor(1) as thread, os.fdopen(reading, "rb") as file:
        done = thread.submit(work)
        while piece := file.read(_PIECE_BYTES):
            yield piece
        done.result()
