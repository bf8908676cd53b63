"""The reader: a process that reads one uploaded file, and may die of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection

from training.data.arrays import ARRAYS, inspect_arrays
from training.data.refusal import UnreadableTable
from training.data.several import inspect_tables
from training.data.tables import Inspection, save_arrays
from training.data.text_files import inspect_text
from worker.messages import Found, Progress, Reading


def read(line: Connection) -> None:
    """Wait for a file and read it; says Progress now and then, at last Found or the Fault that the file has."""
    reading: Reading = line.recv()
    try:
        found = _inspect(reading, lambda rows: line.send(Progress(rows)))
    except UnreadableTable as error:
        line.send(error.fault)
        return
    line.send(Found(found.rows, found.columns, found.warnings, found.preview, found.target))


def _inspect(reading: Reading, tell: Callable[[int], None]) -> Inspection:
    asked = (reading.choices, reading.target)
    keep = partial(save_arrays, reading.arrays)
    files = {file.name: file.path for file in reading.files}
    if len(files) < len(reading.files):
        raise UnreadableTable("same_name", "two of the files have the same name; give each its own")
    if reading.format in ARRAYS:
        return inspect_arrays(files, reading.format, *asked, limits=reading.limits, keep=keep)
    if reading.format == "text":
        return inspect_text(files, *asked, limits=reading.limits, keep=keep)
    return inspect_tables(files, reading.format, *asked, limits=reading.limits, tell=tell, keep=keep)
