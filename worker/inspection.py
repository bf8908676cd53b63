"""The inspection of an uploaded dataset: a reader is started, heard out, limited, and what it found is stored."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from api_schemas.errors import Fault, Unavailable
from storage.artifacts import Artifacts, blocks_of
from storage.database import Database
from storage.datasets import Contents, Inspection, claim_inspection, finish_inspection, report_rows_read
from storage.settings import Settings
from training.data.refusal import Limits
from worker.messages import Found, Reading, RowsRead, UploadedFile
from worker.process import Child

log = structlog.get_logger()

READ = "worker.reader:read"
_REPORT_SECONDS = 1.0
_LOOK_SECONDS = 0.05
"""How often its memory is looked at: a reader may take some hundred megabytes more before it is ended."""
_PATIENCE_SECONDS = 1.0


def inspect_dataset(database: Database, artifacts: Artifacts, settings: Settings, dataset_id: str) -> None:
    """Read an uploaded dataset, in a process of its own, and store what stands in it."""
    inspection = claim_inspection(database, dataset_id, settings.lease_seconds)
    if inspection is None:
        return
    scratch = settings.folder / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{dataset_id}-", dir=scratch) as folder:
        reading = _reading(inspection, artifacts, settings, Path(folder))
        answer = _read(reading, lambda rows: _report(database, inspection, rows, settings), settings.reader_seconds)
        outcome = answer if isinstance(answer, Fault) else _stored(answer, artifacts, reading.arrays)
    finish_inspection(database, inspection, outcome)
    code = outcome.code if isinstance(outcome, Fault) else None
    log.info("dataset_read", dataset=dataset_id, outcome=type(outcome).__name__, code=code)


def _reading(inspection: Inspection, artifacts: Artifacts, settings: Settings, folder: Path) -> Reading:
    return Reading(
        files=[UploadedFile(file.name, artifacts.path(file.sha256)) for file in inspection.files],
        format=inspection.format,
        choices=inspection.choices,
        target=inspection.target,
        arrays=folder / "arrays",
        limits=Limits(settings.dataset_rows, settings.dataset_columns, settings.dataset_bytes, folder),
        memory_bytes=settings.reader_memory_bytes or _most_memory(),
    )


def _most_memory() -> int:
    """Three quarters of the machine's memory, so that a reader ends before the machine does."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4 * 3


def _read(reading: Reading, report: Callable[[int], bool], seconds: float) -> Found | Fault:
    """Hear a reader out, reporting once a second for as long as the answer is that the dataset still waits for it."""
    child, rows = Child(READ), 0
    deadline = time.monotonic() + seconds
    next_report = time.monotonic() + _REPORT_SECONDS
    try:
        child.line.send(reading)
        while time.monotonic() < deadline:
            if child.line.poll(_LOOK_SECONDS):
                message = child.line.recv()
                if not isinstance(message, RowsRead):
                    return message
                rows = message.rows
            # An allocation that fails in a thread of polars would not end the reader but leave it waiting for ever.
            if child.memory_bytes > reading.memory_bytes:
                return _too_much_memory(reading.memory_bytes)
            if time.monotonic() >= next_report:
                next_report += _REPORT_SECONDS
                if not report(rows):
                    return _LOST
    except (EOFError, ConnectionError):
        return _DIED
    finally:
        child.kill()
        child.end(_PATIENCE_SECONDS)
    return Fault(
        pointer="/file",
        code="too_slow",
        message=f"the file could not be read within {seconds:g} s; upload a part of it",
    )


def _report(database: Database, inspection: Inspection, rows: int, settings: Settings) -> bool:
    try:
        return report_rows_read(database, inspection, rows, settings.lease_seconds)
    except Unavailable:
        return True  # the reading goes on; what it finds is stored once the database is back


def _stored(found: Found, artifacts: Artifacts, arrays: Path) -> Contents:
    stored = artifacts.put(blocks_of(arrays))
    return Contents(found.rows, found.columns, found.warnings, found.preview, stored.sha256, found.target)


def _too_much_memory(most_bytes: int) -> Fault:
    message = f"reading the file takes more than {most_bytes:,} bytes of memory; upload a part of it"
    return Fault(pointer="/file", code="too_much_memory", message=message)


_DIED = Fault(
    pointer="/file", code="unreadable", message="the process that read the file died; the worker's log has more"
)
_LOST = Fault(pointer="/file", code="lost", message="the dataset was deleted, or another worker reads it")
