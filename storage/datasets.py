"""Uploaded datasets: rows, pages of them, their corrections and their end."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select

from api_schemas.corrections import changed_target, check_change, corrected, merged
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
from api_schemas.errors import Conflict
from api_schemas.ids import new_id
from api_schemas.jobs import TERMINAL
from storage.database import Database, fetch, now, owned
from storage.idempotency import Once, forget, once
from storage.pages import Sort, read_page
from storage.tables import DatasetRow, JobRow


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
        check_change(row.columns, change)
        target = changed_target(row.columns, row.target, change)
        row.name = change.name or row.name
        row.choices = merged(row.choices, change, target)
        row.columns = [corrected(column, row.choices) for column in row.columns]
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
