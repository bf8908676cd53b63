"""Curves: what a job measured, step by step."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from api_schemas.base import Reply

SeriesKey = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.-]+(/[a-zA-Z0-9_.-]+)*$", max_length=120)]


class NonFinite(Reply):
    """A value that JSON has no number for."""

    step: int
    value: Literal["nan", "inf", "-inf"]


class Series(Reply):
    """One quantity over the steps of a job."""

    key: SeriesKey
    """Such as `train/loss` or `val/accuracy`."""
    points: int
    """How many there are in the asked range before any sampling."""
    sampled: bool
    """Whether a value below stands for a bucket of several points."""
    bucket_steps: int | None = None
    """Width of a bucket in steps, a power of two: a bucket ends at its multiples, and the first point has its own."""
    step: list[int]
    """The step of each value, counted from 0; of a bucket, its last."""
    value: list[float | None]
    """The value at that step; null where it is not finite."""
    min: list[float | None] | None = None
    """Smallest finite value of each bucket."""
    max: list[float | None] | None = None
    """Largest finite value of each bucket."""
    mean: list[float | None] | None = None
    """Mean of the finite values of each bucket."""
    nonfinite: list[NonFinite] = []
    """Every value in the range that is not finite; at most the first 1,000."""


class Metrics(Reply):
    """The curves of a job."""

    object: Literal["metrics"] = "metrics"
    job: str
    state: str
    """The job's state, so that a reader of a live curve knows when it is whole."""
    last_step: int | None
    """The last step of any series; null before the first point."""
    series: list[Series]
