"""Uploaded datasets: the row, its reading by a worker, and corrections."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, update

from api_schemas.datasets import (
    Column,
    ColumnChoice,
    Dataset,
    DatasetChange,
    DatasetFile,
    DatasetProgress,
    Format,
    Preview,
)
from api_schemas.errors import Conflict, Fault, InvalidRequest
from api_schemas.ids import new_id
from api_schemas.jobs import TERMINAL
from api_schemas.nearest import nearest
from storage.database import Database, fetch, now, owned
from storage.idempotency import Once, forget, once
from storage.pages import Sort, read_page
from storage.tables import DatasetRow, JobRow, database_time, unheld

MOST_INSPECTIONS = 3
"""How often a file may kill the process that reads it."""


@dataclass(frozen=True)
class NewDataset:
    """An upload whose bytes are stored, or a file that is yet to be fetched."""

    name: str
    format: Format
    files: Sequence[DatasetFile]
    target: str | None
    choices: Sequence[ColumnChoice]
    url: str | None = None
    """Where to fetch the only file, whose digest is empty so far."""

    @property
    def sha256(self) -> str:
        """Of the bytes; of several files, of their digests."""
        if len(self.files) == 1:
            return self.files[0].sha256
        return hashlib.sha256("".join(file.sha256 for file in self.files).encode()).hexdigest()


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


def add_dataset(
    database: Database, project: str, upload: NewDataset, request: Once | None = None
) -> tuple[Dataset, bool]:
    """Store an uploaded dataset, waiting to be read.

    Returns:
        The dataset, and whether it had been uploaded before under this idempotency key.
    """
    row = DatasetRow(
        id=new_id("ds"),
        project_id=project,
        version=1,
        name=upload.name,
        created_at=now(),
        sha256=upload.sha256,
        bytes=sum(file.bytes for file in upload.files),
        files=list(upload.files),
        url=upload.url,
        format=upload.format,
        target=upload.target,
        choices=list(upload.choices),
        state="processing",
        columns=[],
        warnings=[],
        attempt=0,
    )

    def insert_row() -> Dataset:
        session.add(row)
        session.flush()
        return dataset_of(row)

    with database.write() as session:
        return once(session, project, request, Dataset, insert_row)


def get_dataset(database: Database, project: str, dataset_id: str) -> Dataset:
    """One dataset.

    Raises:
        NotFound: this project has no such dataset.
    """
    with database.read() as session:
        return dataset_of(fetch(session, DatasetRow, project, dataset_id))


def get_preview(database: Database, project: str, dataset_id: str) -> Preview:
    """The first rows of a dataset.

    Raises:
        Conflict: it has not been read.
    """
    with database.read() as session:
        row = fetch(session, DatasetRow, project, dataset_id)
        if row.preview is None:
            raise Conflict(f"a dataset that is {row.state} has no preview", retry_after_seconds=1)
        return row.preview


def get_arrays(database: Database, project: str, dataset_id: str) -> tuple[Dataset, str]:
    """A dataset, and the digest of its columns as arrays.

    Raises:
        Conflict: it has not been read.
    """
    with database.read() as session:
        row = fetch(session, DatasetRow, project, dataset_id)
        if row.arrays_sha256 is None:
            raise Conflict(f"a dataset that is {row.state} has no rows to show", retry_after_seconds=1)
        return dataset_of(row), row.arrays_sha256


def list_datasets(
    database: Database, project: str, *, limit: int = 50, cursor: str | None = None, sort: Sort = "-created_at"
) -> tuple[list[Dataset], str | None]:
    """A page of datasets, and the cursor of the next page."""
    with database.read() as session:
        query = owned(DatasetRow, project)
        rows, following = read_page(session, query, DatasetRow.id, limit=limit, cursor=cursor, sort=sort)
        return [dataset_of(row) for row in rows], following


def change_dataset(database: Database, project: str, dataset_id: str, change: DatasetChange) -> tuple[Dataset, bool]:
    """Correct what was inferred.

    Returns:
        The dataset, and whether it has to be read again: for another target, type or size, or for groups to count.

    Raises:
        Conflict: it is being read.
        InvalidRequest: there is no such column, or what is said of one does not fit it.
    """
    with database.write() as session:
        row = fetch(session, DatasetRow, project, dataset_id, lock=True)
        if row.state != "ready":
            raise Conflict(f"a dataset that is {row.state} cannot be changed", retry_after_seconds=1)
        _check_names(row, change)
        _check_categories(row, change)
        target = _target(row, change)
        row.name = change.name or row.name
        row.choices = _of_one_target(_merged(row.choices, change.columns), target)
        row.columns = [_corrected(column, row.choices) for column in row.columns]
        reread = target != row.target or any(
            choice.type or choice.size or choice.role == "group" for choice in change.columns
        )
        row.target = target
        if reread:
            row.state, row.attempt, row.lease_until, row.rows_read = "processing", 0, None, None
        row.version += 1
        return dataset_of(row), reread


def delete_dataset(database: Database, project: str, dataset_id: str, request: Once | None = None) -> None:
    """Forget a dataset, and the key of the request that brought it; jobs that learned from it stay.

    Raises:
        Conflict: a job that has not ended needs it.
    """
    with database.write() as session:
        row = fetch(session, DatasetRow, project, dataset_id, lock=True)
        needs = select(JobRow.id).where(JobRow.dataset_id == row.id, JobRow.state.not_in(TERMINAL)).limit(1)
        if (job := session.scalar(needs)) is not None:
            raise Conflict(f"job {job} still needs this dataset; cancel it first, or wait for its end")
        session.execute(delete(DatasetRow).where(DatasetRow.id == row.id))
        forget(session, project, request)


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
        mine = update(DatasetRow).where(
            DatasetRow.id == inspection.dataset_id,
            DatasetRow.attempt == inspection.attempt,
            DatasetRow.state == "processing",
        )
        changes = {**news, "lease_until": database_time() + lease_seconds}
        renewed = session.execute(mine.values(**changes, version=DatasetRow.version + 1).returning(DatasetRow.id))
        return renewed.scalar() is not None


def finish_inspection(database: Database, inspection: Inspection, outcome: Contents | Fault) -> None:
    """Store what was read, or why nothing could be; an inspection that was given to another is ignored."""
    with database.write() as session:
        query = select(DatasetRow).where(
            DatasetRow.id == inspection.dataset_id,
            DatasetRow.attempt == inspection.attempt,
            DatasetRow.state == "processing",
        )
        row = session.scalar(query.with_for_update())
        if row is None:
            return
        if isinstance(outcome, Fault):
            _fail(row, outcome)
            return
        row.state, row.lease_until, row.version = "ready", None, row.version + 1
        row.rows, row.warnings, row.preview = outcome.rows, outcome.warnings, outcome.preview
        row.columns = [_corrected(column, row.choices) for column in outcome.columns]
        row.arrays_sha256, row.target = outcome.arrays_sha256, outcome.target


def waiting_inspections(database: Database) -> list[str]:
    """Datasets that wait to be read and that no worker has."""
    with database.read() as session:
        waiting = select(DatasetRow.id).where(DatasetRow.state == "processing", unheld(DatasetRow))
        return list(session.scalars(waiting))


def dataset_of(row: DatasetRow) -> Dataset:
    """A row as its owner sees it."""
    return Dataset(
        id=row.id,
        version=row.version,
        name=row.name,
        state=row.state,
        terminal=row.state != "processing",
        created_at=row.created_at,
        sha256=row.sha256,
        bytes=row.bytes,
        files=row.files,
        format=row.format,
        url=row.url,
        progress=_progress(row) if row.state == "processing" else None,
        rows=row.rows,
        target=row.target,
        columns=row.columns,
        array=next((tuple(column.stats.shape) for column in row.columns if _is_array(column)), None),
        warnings=row.warnings,
        error=row.error,
    )


def _progress(row: DatasetRow) -> DatasetProgress:
    return DatasetProgress(rows_read=row.rows_read, bytes_fetched=row.bytes if row.url else None)


def _is_array(column: Column) -> bool:
    return column.type == "array" and column.role == "feature"


def _fail(row: DatasetRow, fault: Fault) -> None:
    row.state, row.error, row.lease_until, row.version = "failed", fault, None, row.version + 1


def _check_names(row: DatasetRow, change: DatasetChange) -> None:
    names = [column.name for column in row.columns]
    asked = [("/target", change.target)] if change.target else []
    asked += [(f"/columns/{index}/name", choice.name) for index, choice in enumerate(change.columns)]
    unknown = [
        Fault(
            pointer=pointer, code="unknown_column", message=f"there is no column {name!r}; {nearest(name or '', names)}"
        )
        for pointer, name in asked
        if name not in names
    ]
    if unknown:
        raise InvalidRequest.of(unknown)


def _check_categories(row: DatasetRow, change: DatasetChange) -> None:
    """Categories have no mean; a changed type is checked when the file is read again."""
    categories = {column.name for column in row.columns if column.type == "category"}
    wrong = [
        Fault(
            pointer=f"/columns/{index}/missing",
            code="not_numeric",
            message=f"column {choice.name!r} holds categories, which have no {choice.missing}; use most_frequent",
        )
        for index, choice in enumerate(change.columns)
        if choice.type is None and choice.name in categories and choice.missing in ("mean", "median")
    ]
    if wrong:
        raise InvalidRequest.of(wrong)


def _target(row: DatasetRow, change: DatasetChange) -> str | None:
    """The column to predict after a change; none once the one before was given another role.

    Raises:
        InvalidRequest: two columns shall be it, or one that no loss can compare with an output.
    """
    named = {choice.name: f"/columns/{index}/role" for index, choice in enumerate(change.columns) if _is_target(choice)}
    named |= {change.target: "/target"} if change.target else {}
    if len(named) > 1:
        both = " and ".join(repr(name) for name in list(named)[:2])
        raise InvalidRequest.at("/target", "two_targets", f"{both} are both the target; choose one")
    for name, pointer in named.items():
        if any(column.name == name and column.type in ("array", "tokens") for column in row.columns):
            message = f"column {name!r} holds arrays or text, which are features as they are; choose another target"
            raise InvalidRequest.at(pointer, "no_target", message)
        return name
    released = any(choice.name == row.target and choice.role is not None for choice in change.columns)
    return None if released else row.target


def _is_target(choice: ColumnChoice) -> bool:
    return choice.role == "target"


def _of_one_target(choices: Sequence[ColumnChoice], target: str | None) -> list[ColumnChoice]:
    """The choices without those that the choice of a target has overtaken."""
    return [
        choice.model_copy(update={"role": None}) if _is_target(choice) or choice.name == target else choice
        for choice in choices
    ]


def _merged(before: Sequence[ColumnChoice], changes: Sequence[ColumnChoice]) -> list[ColumnChoice]:
    """Earlier choices, with what the later ones say laid over them."""
    merged = {choice.name: choice for choice in before}
    for choice in changes:
        said = choice.model_dump(exclude_none=True)
        merged[choice.name] = merged.get(choice.name, choice).model_copy(update=said)
    return list(merged.values())


def _corrected(column: Column, choices: Sequence[ColumnChoice]) -> Column:
    """A column as a person wants it used; its type was decided when the file was read."""
    for choice in choices:
        if choice.name == column.name:
            said = choice.model_dump(exclude_none=True, include={"role", "encode", "missing"})
            return column.model_copy(update=said)
    return column
