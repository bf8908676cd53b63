"""The reading of uploaded datasets: who may, how far it has got, and what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, select, update

from api_schemas.corrections import corrected
from api_schemas.datasets import Column, ColumnChoice, DatasetFile, Format, Preview
from api_schemas.errors import Fault
from storage.database import Database
from storage.tables import DatasetRow, database_time, unheld

MOST_INSPECTIONS = 3
"""How often a file may kill the process that reads it."""


@dataclass(frozen=True)
class Inspection:
    """An uploaded file that a worker got to read."""

    dataset_id: str
    attempt: int
    files: list[DatasetFile]
    format: Format
    choices: list[ColumnChoice]
    target: str | None
    url: str | None
    """Where the file comes from; it is to be fetched as long as its digest is empty."""


@dataclass(frozen=True)
class Contents:
    """What was read in a file."""

    rows: int
    columns: list[Column]
    warnings: list[Fault]
    preview: Preview
    arrays_sha256: str
    target: str | None
    """The column to predict, where a person or the file names one."""


def claim_inspection(database: Database, dataset_id: str, lease_seconds: float) -> Inspection | None:
    """Take a dataset to read it; None where another worker has it or it has been read."""
    with database.write() as session:
        query = select(DatasetRow).where(
            DatasetRow.id == dataset_id,
            DatasetRow.state == "processing",
            unheld(DatasetRow),
        )
        row = session.scalar(query.with_for_update(skip_locked=True))
        if row is None:
            return None
        row.attempt += 1
        if row.attempt > MOST_INSPECTIONS:
            _fail(
                row, Fault(pointer="/file", code="unreadable", message="reading the file ended its process each time")
            )
            return None
        session.flush()
        taken = update(DatasetRow).where(DatasetRow.id == row.id)
        session.execute(taken.values(lease_until=database_time() + lease_seconds))
        return Inspection(row.id, row.attempt, row.files, row.format, row.choices, row.target, row.url)


def report_rows_read(database: Database, inspection: Inspection, rows: int, lease_seconds: float) -> bool:
    """Say how far the reading of a dataset has got, and keep it for longer.

    Returns:
        Whether it still waits for this inspection; False once it was deleted or given to another.
    """
    return _report(database, inspection, lease_seconds, {"rows_read": rows})


def report_bytes_fetched(database: Database, inspection: Inspection, count: int, lease_seconds: float) -> bool:
    """Say how much of a file has been fetched; otherwise as `report_rows_read`."""
    return _report(database, inspection, lease_seconds, {"bytes": count})


def keep_fetched(database: Database, inspection: Inspection, file: DatasetFile, lease_seconds: float) -> bool:
    """Say that the file is stored, so that no later reading fetches it again; otherwise as `report_rows_read`."""
    changes = {"files": [file], "sha256": file.sha256, "bytes": file.bytes}
    return _report(database, inspection, lease_seconds, changes)


def _report(database: Database, inspection: Inspection, lease_seconds: float, news: Mapping[str, Any]) -> bool:
    with database.write() as session:
        changes = {**news, "lease_until": database_time() + lease_seconds}
        mine = update(DatasetRow).where(_waits_for(inspection))
        renewed = session.execute(mine.values(**changes, version=DatasetRow.version + 1).returning(DatasetRow.id))
        return renewed.scalar() is not None


def finish_inspection(database: Database, inspection: Inspection, outcome: Contents | Fault) -> None:
    """Store what was read, or why nothing could be; an inspection that was given to another is ignored."""
    with database.write() as session:
        row = session.scalar(select(DatasetRow).where(_waits_for(inspection)).with_for_update())
        if row is None:
            return
        if isinstance(outcome, Fault):
            _fail(row, outcome)
            return
        row.state, row.lease_until, row.version = "ready", None, row.version + 1
        row.rows, row.warnings, row.preview = outcome.rows, outcome.warnings, outcome.preview
        row.columns = [corrected(column, row.choices) for column in outcome.columns]
        row.arrays_sha256, row.target = outcome.arrays_sha256, outcome.target


def waiting_inspections(database: Database) -> list[str]:
    """Datasets that wait to be read and that no worker has."""
    with database.read() as session:
        waiting = select(DatasetRow.id).where(DatasetRow.state == "processing", unheld(DatasetRow))
        return list(session.scalars(waiting))


def _waits_for(inspection: Inspection) -> ColumnElement[bool]:
    """Whether a row is that of the inspection's dataset, and waits for this one and no later."""
    return and_(
        DatasetRow.id == inspection.dataset_id,
        DatasetRow.attempt == inspection.attempt,
        DatasetRow.state == "processing",
    )


def _fail(row: DatasetRow, fault: Fault) -> None:
    row.state, row.error, row.lease_until, row.version = "failed", fault, None, row.version + 1
