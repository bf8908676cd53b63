"""What a worker and its child processes say to each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from api_schemas.datasets import Column, ColumnChoice, Dataset, Format, Preview
from api_schemas.errors import Fault
from api_schemas.jobs import Environment, JobError, JobSpec
from api_schemas.model_tasks import Asked
from api_schemas.workers import Device
from training.data.refusal import Limits
from training.events import Evaluation, Points

Order = Literal["cancel", "checkpoint"]
"""Supervisor to trainer: stop now, or stop after writing a checkpoint."""


@dataclass(frozen=True)
class Kept:
    """A checkpoint that an earlier attempt wrote."""

    steps_done: int
    sha256: str
    path: Path | None
    """None where the file is gone."""


@dataclass(frozen=True)
class Ordered:
    """What a trainer shall do with one of its jobs."""

    job_id: str
    order: Order


@dataclass(frozen=True)
class Task:
    """A job that a trainer shall train."""

    job_id: str
    spec: JobSpec
    checkpoints: list[Kept]
    """Where to go on: the last of them that can be read, oldest first."""
    init: Path | None
    """The model to begin with."""


@dataclass(frozen=True)
class Assignment:
    """What a trainer shall do."""

    tasks: list[Task]
    """One, or several that may be trained together."""
    dataset: Dataset | None
    """The upload that all of them name."""
    arrays: Path | None
    """The upload's columns."""
    folder: Path
    """Where its files go."""
    device: Device
    gpu: str | None
    """The `CUDA_VISIBLE_DEVICES` of its slot."""
    threads: int
    memory_bytes: int | None
    compiled: Path
    """Where compiled networks are kept."""


@dataclass(frozen=True)
class Started:
    """Data and network are built; the first step comes next."""

    environment: Environment


@dataclass(frozen=True)
class FellBack:
    """The run goes on from an earlier checkpoint than the last, or begins at its first step."""

    steps_done: int
    reason: str
    """Why, for each later checkpoint."""


@dataclass(frozen=True)
class Alive:
    """Nothing to tell yet, but the work goes on."""


@dataclass(frozen=True)
class Saved:
    """A checkpoint is written."""

    path: Path
    steps_done: int


@dataclass(frozen=True)
class NotSaved:
    """There was no room for a checkpoint, without which the run goes on, or for the model, which is tried again."""

    steps_done: int


@dataclass(frozen=True)
class Stopped:
    """The order to stop was followed."""


@dataclass(frozen=True)
class Done:
    """Training came to its end."""

    model: Path
    weights_sha256: str
    steps_done: int


@dataclass(frozen=True)
class Failed:
    """Training cannot go on, and could not another time."""

    error: JobError


@dataclass(frozen=True)
class OutOfMemory:
    """What the trainer has does not fit."""

    reason: str
    """In the words of whoever did not get the memory."""
    asked_bytes: int | None
    """How much more was asked for, where that is known."""
    room_bytes: int | None
    """What there is for the training beyond PyTorch itself, where that is known."""


LastWord: TypeAlias = Done | Stopped | Failed
"""After it nothing more is said of a job."""
Word: TypeAlias = Started | FellBack | Points | Evaluation | Saved | NotSaved | LastWord


@dataclass(frozen=True)
class Said:
    """What a trainer says of one of its jobs."""

    job_id: str
    word: Word


@dataclass(frozen=True)
class UploadedFile:
    """A file as it was uploaded."""

    name: str
    """What it was called; `path` does not tell."""
    path: Path


@dataclass(frozen=True)
class Fetching:
    """What a fetcher shall do."""

    url: str
    allowed: list[str]
    """Hosts that the operator allows."""
    most_bytes: int
    path: Path
    """Where the file goes."""


@dataclass(frozen=True)
class Fetched:
    """The file is there."""


@dataclass(frozen=True)
class Reading:
    """What a reader shall do."""

    files: list[UploadedFile]
    format: Format
    choices: list[ColumnChoice]
    target: str | None
    arrays: Path
    """Where the columns go."""
    limits: Limits
    memory_bytes: int


@dataclass(frozen=True)
class Progress:
    """The reader or the fetcher is at work."""

    count: int
    """So many rows have been read, or bytes fetched."""


@dataclass(frozen=True)
class Found:
    """What stands in the file."""

    rows: int
    columns: list[Column]
    warnings: list[Fault]
    preview: Preview
    target: str | None
    """The column to predict, where a person or the file names one."""


@dataclass(frozen=True)
class Question:
    """What is asked of a model."""

    job_id: str
    model: Path
    model_sha256: str
    asked: Asked
    file: Path | None
    """The rows to predict, where they came in a file."""
    output: Path
    """Where a file goes that is the answer."""
    threads: int
    memory_bytes: int | None


@dataclass(frozen=True)
class Written:
    """The answer is a file."""

    path: Path
