"""The tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    or_,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from api_schemas.advice import Advice
from api_schemas.datasets import Column, ColumnChoice, DatasetFile, DatasetState, Format, Preview
from api_schemas.errors import Fault, Unavailable
from api_schemas.jobs import Checkpoint, Environment, JobError, JobSpec, JobState, Summary
from api_schemas.model_tasks import Asked, ModelTaskState
from api_schemas.predictions import Prediction
from api_schemas.workers import Device

T = TypeVar("T")


class UtcTime(TypeDecorator[datetime]):
    """A UTC moment; SQLite gives times back without a zone, PostgreSQL with the session's."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Unreadable(Unavailable):
    """What stands in a row was written by a version of this code that knows more."""


class Document(TypeDecorator[T], Generic[T]):
    """A pydantic type as JSON text: what is read back is the very class that was written, checked again."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.kind = kind
        self._adapter: TypeAdapter[T] = TypeAdapter(kind)

    def process_bind_param(self, value: T | None, dialect: Dialect) -> str | None:
        return None if value is None else self._adapter.dump_json(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> T | None:
        return None if value is None else self.read(value)

    def read(self, text: str) -> T:
        """What a text says.

        Raises:
            Unreadable: it is not of this version.
        """
        try:
            return self._adapter.validate_json(text)
        except ValidationError as error:
            message = "this was written by a newer version of Anneal than the one that was asked; try again"
            raise Unreadable(message, retry_after_seconds=10) from error


class database_time(FunctionElement[float]):  # noqa: N801  # reads as a SQL function
    """The database's own clock, in seconds since 1970; leases use it, so that no machine's clock decides."""

    type = Float()
    inherit_cache = True


@compiles(database_time)
def _postgresql_time(_element: database_time, _compiler: SQLCompiler, **_: object) -> str:
    return "extract(epoch from clock_timestamp())"


@compiles(database_time, "sqlite")
def _sqlite_time(_element: database_time, _compiler: SQLCompiler, **_: object) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


class Table(DeclarativeBase):
    """The base of all tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        str: Text(),
        int: BigInteger(),
        datetime: UtcTime(),
        list[str]: JSON(),
        JobState: String(16),
        DatasetState: String(16),
        Format: String(16),
        ModelTaskState: String(16),
        JobSpec: Document(JobSpec),
        JobError: Document(JobError),
        Environment: Document(Environment),
        Preview: Document(Preview),
        Fault: Document(Fault),
        list[Fault]: Document(list[Fault]),
        list[Advice]: Document(list[Advice]),
        list[Column]: Document(list[Column]),
        list[ColumnChoice]: Document(list[ColumnChoice]),
        list[DatasetFile]: Document(list[DatasetFile]),
        list[Checkpoint]: Document(list[Checkpoint]),
        dict[str, Summary]: Document(dict[str, Summary]),
        Asked: Document(Asked),
        Prediction: Document(Prediction),
        dict[str, str | int | float | None]: JSON(),
    }


class Owned:
    """A row that belongs to a project; `storage.database.owned` is the only way to look one up for a caller."""

    project_id: Mapped[str] = mapped_column(String(64))
    version: Mapped[int] = mapped_column(default=1)
    """Grows with every change that a reader can see."""


class JobRow(Owned, Table):
    """A job: its spec, its life, and the lease of whoever trains it."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str]
    spec: Mapped[JobSpec]
    dataset_id: Mapped[str | None] = mapped_column(ForeignKey("datasets.id", ondelete="SET NULL"), index=True)
    queue: Mapped[str] = mapped_column(String(64))
    priority: Mapped[int]
    preemptible: Mapped[bool] = mapped_column(default=False)
    device: Mapped[str] = mapped_column(String(16))
    init_sha256: Mapped[str | None] = mapped_column(String(64))
    """Of the stored model or checkpoint that it begins with."""
    total_steps: Mapped[int]
    train_rows: Mapped[int]
    parameters: Mapped[int]
    flops_per_step: Mapped[float | None]
    """A whole number, which may be larger than an integer of the database."""
    fuse_key: Mapped[str | None] = mapped_column(String(64))
    """What it has in common with those that it may be trained together with; None for one that is trained alone."""
    warnings: Mapped[list[Advice]]

    state: Mapped[JobState]
    state_reason: Mapped[str]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    events: Mapped[int] = mapped_column(default=0)
    """How many events it has had: the number of the last one."""
    told: Mapped[int] = mapped_column(default=0)
    """How many of them its last attempt has reported."""

    attempt: Mapped[int] = mapped_column(default=0)
    """Fencing token: grows with every claim, and every write of an attempt names it."""
    failures: Mapped[int] = mapped_column(default=0)
    """Attempts that ended by the death of a worker or trainer; a pause or a drained worker is none."""
    worker_id: Mapped[str | None] = mapped_column(String(40))
    slot: Mapped[int | None]
    """Of its worker, where its last attempt trains; jobs that train together have the same."""
    lease_until: Mapped[float | None]
    """By the database's clock; None while nobody holds it."""
    not_before: Mapped[float | None]
    """By the database's clock: when a retry may start."""

    step: Mapped[int] = mapped_column(default=0)
    samples_per_second: Mapped[float | None]
    metrics: Mapped[dict[str, Summary]]
    checkpoint_step: Mapped[int | None]
    checkpoint_sha256: Mapped[str | None] = mapped_column(String(64))
    checkpoints: Mapped[list[Checkpoint]]
    """All that are kept, oldest first; a run goes on from the last."""
    model_sha256: Mapped[str | None] = mapped_column(String(64))
    """Of the stored model file."""
    weights_sha256: Mapped[str | None] = mapped_column(String(64))
    """Of the weights alone."""
    environment: Mapped[Environment | None]
    error: Mapped[JobError | None]

    __table_args__ = (
        # All that a claim reads, so that it looks at no row but the one it takes.
        Index("ix_jobs_claim", "state", "queue", "priority", "project_id", "id", "device", "not_before", "fuse_key"),
        # All that a list is filtered by, in its order, so that it looks at no row but those of the page.
        Index("ix_jobs_list", "project_id", "id", "state", "name", "dataset_id", "created_at"),
    )


class TagRow(Table):
    """A tag of a job's spec, so that jobs are found by it."""

    __tablename__ = "job_tags"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]

    __table_args__ = (Index("ix_job_tags_find", "name", "value", "job_id"),)


class EventRow(Table):
    """Something that happened to a job; numbered from 1 within the job, without gaps."""

    __tablename__ = "events"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime]
    data: Mapped[dict[str, str | int | float | None]]


class ChunkRow(Table):
    """Up to `storage.curves.CHUNK_POINTS` consecutive points of one series; the view `points` has each as a row."""

    __tablename__ = "curve_chunks"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(120), primary_key=True)
    first_step: Mapped[int] = mapped_column(primary_key=True)
    last_step: Mapped[int]
    count: Mapped[int]
    steps: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Little-endian int64; None where every step from first to last has a point."""
    values: Mapped[bytes] = mapped_column(LargeBinary)
    """Little-endian float64, NaN and infinities as they are."""


class SummaryRow(Table):
    """What a stretch of one series looks like from further away."""

    __tablename__ = "curve_summaries"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(120), primary_key=True)
    level: Mapped[int] = mapped_column(primary_key=True)
    """1 for a full chunk, the next for `storage.curves.FANOUT` of the one before."""
    after_step: Mapped[int] = mapped_column(primary_key=True)
    """The last step before it: all points from there until its own last step are in it."""
    last_step: Mapped[int]
    cell_steps: Mapped[int]
    """Its cells end at multiples of this many steps."""
    cells: Mapped[bytes] = mapped_column(LargeBinary)
    """As in `storage.cells.CELL`."""


class DatasetRow(Owned, Table):
    """An uploaded table and what was read in it."""

    __tablename__ = "datasets"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str]
    created_at: Mapped[datetime]
    sha256: Mapped[str] = mapped_column(String(64))
    """Of the uploaded bytes; of several files, of their digests; empty before the file is fetched."""
    bytes: Mapped[int]
    files: Mapped[list[DatasetFile]]
    """Each under its digest in the artifact store."""
    url: Mapped[str | None]
    """Where the file was fetched from, or will be as long as its digest is empty."""
    format: Mapped[Format]
    target: Mapped[str | None]
    choices: Mapped[list[ColumnChoice]]
    """What a person said of the columns."""

    state: Mapped[DatasetState]
    rows_read: Mapped[int | None]
    """How far a reader has got."""
    rows: Mapped[int | None]
    columns: Mapped[list[Column]]
    warnings: Mapped[list[Fault]]
    error: Mapped[Fault | None]
    preview: Mapped[Preview | None]
    arrays_sha256: Mapped[str | None] = mapped_column(String(64))
    """Of the columns as arrays, the form that trainers read."""

    attempt: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[float | None]

    __table_args__ = (Index("ix_datasets_list", "project_id", "id"),)


class ModelTaskRow(Owned, Table):
    """Something that a worker shall do with a job's model: write it in another format, or predict with it."""

    __tablename__ = "model_tasks"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    asked: Mapped[Asked]
    export: Mapped[str | None] = mapped_column(String(16))
    """The format of an export, of which a job has one each; None for predictions."""
    created_at: Mapped[datetime] = mapped_column(index=True)

    state: Mapped[ModelTaskState]
    prediction: Mapped[Prediction | None]
    result_sha256: Mapped[str | None] = mapped_column(String(64))
    """Of the file that came out."""
    result_bytes: Mapped[int | None]
    faults: Mapped[list[Fault]]
    """Why it failed."""

    attempt: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[float | None]

    __table_args__ = (Index("ix_model_tasks_export", "job_id", "export", unique=True),)


class ModelRow(Owned, Table):
    """A name that a project gives to models."""

    __tablename__ = "models"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    last_version: Mapped[int] = mapped_column(default=0)
    """The highest that was ever given, so that none is given twice."""

    __table_args__ = (Index("ix_models_name", "project_id", "name", unique=True),)


class ModelVersionRow(Table):
    """A job's model under a name."""

    __tablename__ = "model_versions"

    model_id: Mapped[str] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    aliases: Mapped[list[str]]
    created_at: Mapped[datetime]


class IdempotencyRow(Table):
    """What a POST with an Idempotency-Key was answered; written in the transaction that did the work."""

    __tablename__ = "idempotency_keys"

    project_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the request's route and body."""
    created_at: Mapped[datetime] = mapped_column(index=True)
    reply: Mapped[str]
    """The answer's body."""


class KeyRow(Table):
    """An API key; of the secret only its SHA-256."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    project_id: Mapped[str] = mapped_column(String(64))
    name: Mapped[str]
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]


class WorkerRow(Table):
    """A worker process that said it is there."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    host: Mapped[str]
    pid: Mapped[int]
    device: Mapped[Device] = mapped_column(String(16))
    slots: Mapped[int]
    queues: Mapped[list[str]]
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    lease_until: Mapped[float]


class LeaseRow(Table):
    """A duty that one process has at a time."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner: Mapped[str] = mapped_column(String(64))
    until: Mapped[float]


def unheld(row: type[DatasetRow | ModelTaskRow]) -> ColumnElement[bool]:
    """Whether no worker holds it, or the one that did has gone silent."""
    return or_(row.lease_until.is_(None), row.lease_until < database_time())
