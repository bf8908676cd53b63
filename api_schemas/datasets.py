"""Datasets: uploaded tables, what Anneal read in them, and how a job refers to one."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, Lt, MaxLen
from pydantic import ConfigDict, Discriminator, Strict, StringConstraints, Tag

from api_schemas.base import Label, Reply, Schema, Time
from api_schemas.catalog.datasets import NamedDatasetEntry
from api_schemas.catalog.entry import OneOf
from api_schemas.errors import Fault

ColumnType = Literal["numeric", "category", "text", "array", "tokens"]
Role = Literal["feature", "target", "split", "group", "ignore"]
"""`split` says which part each row belongs to, `group` which rows must stay together."""
PartName = Literal["train", "validation", "test"]
SplitMethod = Literal["random", "stratified", "grouped", "column", "time"]
Encode = Literal["onehot", "embedding", "ordinal"]
Missing = Literal["error", "mean", "median", "most_frequent", "indicator"]
DatasetState = Literal["processing", "ready", "failed"]
Format = Literal["csv", "tsv", "parquet", "feather", "jsonl", "npz", "safetensors", "idx", "images", "text"]


class Upload(Schema):
    """A dataset that was uploaded before."""

    id: Annotated[str, StringConstraints(max_length=64)]
    """As `POST /v1/datasets` answered it."""


def _by_id_or_name(value: Any) -> str:
    given_id = "id" in value if isinstance(value, dict) else isinstance(value, Upload)
    return "upload" if given_id else "named"


DatasetReference = Annotated[
    Annotated[Upload, Tag("upload")] | Annotated[Annotated[NamedDatasetEntry, OneOf(NamedDatasetEntry)], Tag("named")],
    Discriminator(_by_id_or_name),
]
"""`{"id": "ds_..."}` of an upload, or `{"name": "digits"}` of a dataset that needs none."""


Pixels = Annotated[int, Ge(1), Le(4096)]


class ColumnChoice(Schema):
    """What a person says of a column; what is left out stays as it was inferred."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    """The column's name in the file."""
    type: ColumnType | None = None
    """How its values are read."""
    role: Role | None = None
    """What it is used for."""
    encode: Encode | None = None
    """How categories become numbers, where that is not as the job says for all columns."""
    missing: Missing | None = None
    """What to do where a value is missing: refuse to train, or fill in what the training rows say. `indicator` fills in
    the mean, or the most frequent category, and adds an input that is 1 where it did."""
    size: Annotated[tuple[Pixels, Pixels], Strict(strict=False)] | None = None
    """Height and width to which images are resized; left out, the size that nearly all have."""


ColumnChoices = Annotated[list[ColumnChoice], MaxLen(10_000)]


class DatasetChange(Schema):
    """The body of `PATCH /v1/datasets/{id}`."""

    model_config = ConfigDict(defer_build=False)  # as JobSpec's

    name: Label | None = None
    """A new name."""
    target: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = None
    """The column that jobs learn to predict unless they say otherwise."""
    columns: ColumnChoices = []
    """Corrections to what was inferred."""


class ColumnStats(Reply):
    """What was counted in a column."""

    missing: int
    """How many rows have no value."""
    missing_rows: list[int] = []
    """The first of them, counted from 1 below the header."""
    distinct: int
    """How many different values there are; 0 for arrays, whose numbers are not counted."""
    shape: list[int] = []
    """The axes of a value that is an array, as `Dataset.array` has them."""
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    std: float | None = None
    bins: list[int] = []
    """How many numbers lie in each of 20 ranges of equal width from `minimum` to `maximum`; none where these are
    equal."""
    integral: bool = False
    """Whether every number is whole."""
    dates: bool = False
    """Whether the values are dates, read as days since 1970-01-01 with the time of day as a fraction."""
    example: str | None = None
    """The first value."""
    categories: list[str] = []
    """The different values, sorted, where there are few enough to be categories."""
    counts: list[int] = []
    """How often each of them occurs."""
    group_sizes: dict[int, int] = {}
    """Of a column with the role `group`: how many groups there are of each number of rows."""
    not_numeric: str | None = None
    """The first value that is no number, with its row, where the column holds any."""


class Column(Reply):
    """A column as jobs will use it."""

    name: str
    type: ColumnType
    role: Role
    encode: Encode | None = None
    """How its categories become numbers; null for as the job says."""
    missing: Missing = "error"
    stats: ColumnStats

    @property
    def width(self) -> int:
        """How many numbers a network sees of it."""
        return len(self.stats.categories) if self.type == "category" else math.prod(self.stats.shape)


class DatasetFile(Reply):
    """One of the files of a dataset."""

    name: str
    """As it was uploaded."""
    sha256: str
    """Digest of its bytes; the same bytes are stored once. Empty until it has been fetched."""
    bytes: int


class DatasetProgress(Reply):
    """How far a dataset that is `processing` has been read."""

    rows_read: int | None = None
    """Rows that a worker has read; null before it begins, and for files that are no tables."""
    bytes_fetched: int | None = None
    """Bytes that a worker has fetched of a dataset by URL."""


class Dataset(Reply):
    """An uploaded table."""

    id: str
    object: Literal["dataset"] = "dataset"
    version: int
    """Grows with every change; the ETag."""
    name: str
    state: DatasetState
    """`processing` until it has been read; then `ready` or `failed`. Another type, size or target has it
    read again."""
    terminal: bool
    """Whether the state is an end state."""
    created_at: Time
    sha256: str
    """Digest of the uploaded bytes; of several files, of their digests one after the other. Empty until a dataset by
    URL has been fetched."""
    bytes: int
    """Of all files together; of a dataset by URL, as many as have come."""
    files: list[DatasetFile] = []
    """In the order of the upload."""
    url: str | None = None
    """Where it was fetched from."""
    format: Format
    progress: DatasetProgress | None = None
    """Null once it has been read."""
    rows: int | None = None
    target: str | None = None
    """The column that jobs learn to predict unless they say otherwise."""
    columns: list[Column] = []
    array: tuple[int, ...] | None = None
    """The axes of a row whose feature columns are one array: (length,), (length, features) or (height, width), or
    (channels, height, width); the columns follow each other in that order."""
    warnings: list[Fault] = []
    error: Fault | None = None
    """Why it could not be read."""


class Preview(Reply):
    """The first rows of a dataset."""

    object: Literal["preview"] = "preview"
    columns: list[str]
    rows: list[list[float | str | None]]


class Split(Schema):
    """Which rows train and which judge."""

    validation: Annotated[float, Ge(0), Lt(1)] = 0.2
    """Share of rows that judge during training. With the method `column`, of the training rows, where the column names
    none to validate."""
    test: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Share of rows that judge once, at the end. With the method `column` the column alone says which."""
    method: SplitMethod | None = None
    """`random` deals out the rows by chance. `stratified` does so and keeps the share of each class. `grouped` keeps
    rows of the same group together: no group is in two parts. `column` goes by a column that says it of each row.
    `time` lets the earliest rows train and the latest test. By default `column` where a column has the role `split`,
    `grouped` where one has the role `group`, else `stratified` for classes and `random` for numbers; `time` for
    text."""
    column: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = None
    """The column to go by. `grouped` and `column` find theirs by its role; `time` takes the order of the rows where
    none is named."""
    parts: Annotated[dict[str, PartName], MaxLen(1000)] = {}
    """What values of the split column stand for, such as `{"fold 1": "validation"}`. Those that say train, validation
    or test in English need not be named."""
    seed: Annotated[int, Ge(0), Lt(2**63)] = 0
    """The same seed makes the same split."""
