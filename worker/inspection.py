"""The inspection of a dataset: children fetch and read it within limits, and what they found is stored."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import structlog

from api_schemas.errors import Fault, Unavailable
from api_schemas.sources import POINTER
from storage.artifacts import Artifacts
from storage.database import Database
from storage.inspections import (
    Contents,
    Inspection,
    claim_inspection,
    finish_inspection,
    keep_fetched,
    report_bytes_fetched,
    report_rows_read,
)
from storage.scratch import scratch_folder
from storage.settings import Settings
from training.data.refusal import Limits
from worker.hearing import LOST, Bounds, Report, hear
from worker.messages import Fetching, Found, Reading, UploadedFile
from worker.process import wait_until_warm
from worker.storing import store_file

log = structlog.get_logger()

READ = "worker.reader:read"
FETCH = "worker.fetcher:fetch"
_Write: TypeAlias = Callable[[Database, Inspection, int, float], bool]


def inspect_dataset(
    database: Database, artifacts: Artifacts, settings: Settings, dataset_id: str, fetcher: str = FETCH
) -> None:
    """Fetch a dataset that is not here yet, read it, each in a process of its own, and store what stands in it."""
    wait_until_warm()
    inspection = claim_inspection(database, dataset_id, settings.lease_seconds)
    if inspection is None:
        return
    with scratch_folder(settings, f"{dataset_id}-") as folder:
        inspector = _Inspector(database, artifacts, settings, folder, fetcher)
        fetched = inspector.fetch(inspection)
        outcome = fetched if isinstance(fetched, Fault) else inspector.read(fetched)
    finish_inspection(database, inspection, outcome)
    code = outcome.code if isinstance(outcome, Fault) else None
    log.info("dataset_read", dataset=dataset_id, outcome=type(outcome).__name__, code=code)


@dataclass(frozen=True)
class _Inspector:
    """What the steps of an inspection need."""

    database: Database
    artifacts: Artifacts
    settings: Settings
    folder: Path
    """Gone, with all that is in it, once the dataset has been read."""
    fetcher: str

    def fetch(self, inspection: Inspection) -> Inspection | Fault:
        """The inspection with its file, which is fetched where that was not done before."""
        if inspection.url is None or inspection.files[0].sha256:
            return inspection
        settings, place = self.settings, self.folder / "fetched"
        order = Fetching(inspection.url, settings.fetch_from, settings.max_upload_bytes, place)
        report, bounds = self._report(report_bytes_fetched, inspection), self._bounds(POINTER, "fetched")
        answer = hear(self.fetcher, order, report, bounds)
        return answer if isinstance(answer, Fault) else self._keep(inspection, place)

    def read(self, inspection: Inspection) -> Contents | Fault:
        """What stands in the files."""
        order = self._reading(inspection)
        report, bounds = self._report(report_rows_read, inspection), self._bounds("/file", "read")
        match hear(READ, order, report, bounds):
            case Fault() as fault:
                return fault
            case Found() as found:
                return self._contents(found, inspection, order.arrays)
            case other:
                raise TypeError(f"a reader said {other!r}")

    def _keep(self, inspection: Inspection, fetched: Path) -> Inspection | Fault:
        size, report = fetched.stat().st_size, self._report(report_bytes_fetched, inspection)
        stored = store_file(self.artifacts, fetched, lambda: report(size))
        fetched.unlink()
        file = inspection.files[0].model_copy(update={"sha256": stored.sha256, "bytes": stored.bytes})
        if not keep_fetched(self.database, inspection, file, self.settings.lease_seconds):
            return LOST
        return replace(inspection, files=[file])

    def _contents(self, found: Found, inspection: Inspection, arrays: Path) -> Contents:
        report = self._report(report_rows_read, inspection)
        stored = store_file(self.artifacts, arrays, lambda: report(found.rows))
        return Contents(found.rows, found.columns, found.warnings, found.preview, stored.sha256, found.target)

    def _report(self, write: _Write, inspection: Inspection) -> Report:
        def report(count: int) -> bool:
            try:
                return write(self.database, inspection, count, self.settings.lease_seconds)
            except Unavailable:
                return True  # the work goes on; what it finds is stored once the database is back

        return report

    def _bounds(self, pointer: str, what: str) -> Bounds:
        seconds = self.settings.reader_seconds
        message = f"the file could not be {what} within {seconds:g} s; upload a part of it"
        return Bounds(seconds, self._memory_bytes, Fault(pointer=pointer, code="too_slow", message=message))

    @property
    def _memory_bytes(self) -> int:
        return self.settings.reader_memory_bytes or _most_memory()

    def _reading(self, inspection: Inspection) -> Reading:
        settings = self.settings
        return Reading(
            files=[UploadedFile(file.name, self.artifacts.path(file.sha256)) for file in inspection.files],
            format=inspection.format,
            choices=inspection.choices,
            target=inspection.target,
            arrays=self.folder / "arrays",
            limits=Limits(settings.dataset_rows, settings.dataset_columns, settings.dataset_bytes, self.folder),
            memory_bytes=self._memory_bytes,
        )


def _most_memory() -> int:
    """Three quarters of the machine's memory, so that a reader ends before the machine does."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4 * 3
