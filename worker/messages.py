"""What a trainer and its supervisor say to each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from api_schemas.datasets import Dataset
from api_schemas.jobs import Environment, JobError, JobSpec

Order = Literal["cancel", "checkpoint"]
"""Supervisor to trainer: stop now, or stop after writing a checkpoint."""


@dataclass(frozen=True)
class Assignment:
    """What a trainer shall do."""

    job_id: str
    spec: JobSpec
    dataset: Dataset | None
    arrays: Path | None
    """The upload's columns."""
    checkpoint: Path | None
    """Where to go on."""
    folder: Path
    """Where its files go."""
    gpu: str | None
    threads: int
    memory_bytes: int | None


@dataclass(frozen=True)
class Started:
    """Data and network are built; the first step comes next."""

    environment: Environment


@dataclass(frozen=True)
class Saved:
    """A checkpoint is written."""

    path: Path
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
