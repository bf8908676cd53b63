"""Curves in chunks of points: appended by the attempt that holds the job, read at any zoom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from api_schemas.curves import Metrics, NonFinite, Series
from storage.database import Database, fetch, insert
from storage.tables import ChunkRow, JobRow

Steps: TypeAlias = NDArray[np.int64]
Values: TypeAlias = NDArray[np.float64]

CHUNK_POINTS = 4096
"""Points in a full chunk: 32 KiB, rewritten while it grows and never again after."""
MOST_NONFINITE = 1000


@dataclass
class _Tail:
    """The last, growing chunk of a series."""

    steps: list[int] = field(default_factory=list[int])
    values: list[float] = field(default_factory=list[float])
    changed: bool = False


class CurveWriter:
    """Collects the points of one attempt and writes them in the transactions of whoever holds the lease."""

    def __init__(self, job_id: str) -> None:
        self._job_id = job_id
        self._tails: dict[str, _Tail] = {}
        self._full: list[dict[str, Any]] = []

    def rewind(self, session: Session, steps_done: int) -> None:
        """Drop the points of steps that will be done again, and go on behind the others."""
        query = select(ChunkRow).where(ChunkRow.job_id == self._job_id).order_by(ChunkRow.key, ChunkRow.first_step)
        for chunk in session.scalars(query):
            steps, values = _decode(chunk)
            keep = int(np.searchsorted(steps, steps_done))
            if keep < chunk.count:
                session.delete(chunk)
            if keep:
                self._tails[chunk.key] = _Tail(steps[:keep].tolist(), values[:keep].tolist(), keep < chunk.count)
        session.flush()
        session.expunge_all()

    def add(self, key: str, steps: Sequence[int], values: Sequence[float]) -> None:
        """Add points, in rising order of steps; one at a step that the series already has is the same and is left."""
        tail = self._tails.setdefault(key, _Tail())
        last = tail.steps[-1] if tail.steps else -1
        for step, value in zip(steps, values, strict=True):
            if step <= last:
                continue
            if len(tail.steps) == CHUNK_POINTS:
                self._full.append(self._chunk(key, tail))
                tail = self._tails[key] = _Tail()
            tail.steps.append(step)
            tail.values.append(value)
            tail.changed = True

    def write(self, session: Session) -> None:
        """Write what was added since the last call that was followed by `written`."""
        grown = [self._chunk(key, tail) for key, tail in self._tails.items() if tail.changed]
        if chunks := [*self._full, *grown]:
            upsert = insert(session, ChunkRow)
            changed = {name: upsert.excluded[name] for name in ("last_step", "count", "steps", "values")}
            whole = upsert.on_conflict_do_update(index_elements=["job_id", "key", "first_step"], set_=changed)
            session.execute(whole, chunks)

    def written(self) -> None:
        """The transaction of the last `write` is committed."""
        self._full.clear()
        for tail in self._tails.values():
            tail.changed = False

    def _chunk(self, key: str, tail: _Tail) -> dict[str, Any]:
        first, last, count = tail.steps[0], tail.steps[-1], len(tail.steps)
        whole = last - first + 1 == count
        return {
            "job_id": self._job_id,
            "key": key,
            "first_step": first,
            "last_step": last,
            "count": count,
            "steps": None if whole else np.asarray(tail.steps, "<i8").tobytes(),
            "values": np.asarray(tail.values, "<f8").tobytes(),
        }


def read_metrics(
    database: Database,
    project: str,
    job_id: str,
    *,
    keys: Sequence[str] | None = None,
    from_step: int | None = None,
    to_step: int | None = None,
    max_points: int | None = None,
) -> tuple[Metrics, int]:
    """A job's curves, and the version of the job that they belong to.

    Args:
        database: where they are.
        project: who asks.
        job_id: whose they are.
        keys: of the series; all where None. One that does not exist is left out.
        from_step: first step, inclusive.
        to_step: last step, inclusive.
        max_points: most values of a series; one with more points is given in buckets.

    Raises:
        NotFound: this project has no such job.
    """
    with database.read() as session:
        job = fetch(session, JobRow, project, job_id)
        found = read_points(session, job.id, keys, from_step, to_step)
        series = [_series(key, steps, values, max_points) for key, (steps, values) in found.items()]
        last = session.scalar(
            select(ChunkRow.last_step).where(ChunkRow.job_id == job.id).order_by(ChunkRow.last_step.desc()).limit(1)
        )
        return Metrics(job=job.id, state=job.state, last_step=last, series=series), job.version


def read_points(
    session: Session, job_id: str, keys: Sequence[str] | None, from_step: int | None, to_step: int | None
) -> Mapping[str, tuple[Steps, Values]]:
    """The raw points by series: steps and values, shape (points,) each, in rising order of steps."""
    query = select(ChunkRow).where(ChunkRow.job_id == job_id).order_by(ChunkRow.key, ChunkRow.first_step)
    if keys is not None:
        query = query.where(ChunkRow.key.in_(keys))
    if from_step is not None:
        query = query.where(ChunkRow.last_step >= from_step)
    if to_step is not None:
        query = query.where(ChunkRow.first_step <= to_step)
    parts: dict[str, list[tuple[Steps, Values]]] = {}
    for chunk in session.scalars(query):
        parts.setdefault(chunk.key, []).append(_decode(chunk))
    order = keys if keys is not None else sorted(parts, key=_reading_order)
    return {key: _cut(parts[key], from_step, to_step) for key in order if key in parts}


def stream_points(
    database: Database, project: str, job_id: str, keys: Sequence[str] | None
) -> Iterator[tuple[str, list[int], list[float]]]:
    """Every raw point of a job, a chunk at a time: series, steps, values.

    Each chunk is a transaction of its own, so that a slow reader holds nothing up.

    Raises:
        NotFound: this project has no such job.
    """
    with database.read() as session:
        job = fetch(session, JobRow, project, job_id)
        query = select(ChunkRow.key, ChunkRow.first_step).where(ChunkRow.job_id == job.id)
        places = sorted(session.execute(query).all(), key=lambda place: (_reading_order(place[0]), place[1]))
    for key, first_step in places:
        if keys is not None and key not in keys:
            continue
        with database.read() as session:
            chunk = session.get(ChunkRow, (job_id, key, first_step))
        if chunk is not None:
            steps, values = _decode(chunk)
            yield key, steps.tolist(), values.tolist()


def _reading_order(key: str) -> tuple[int, str]:
    return ("train", "val", "test").index(key.split("/", maxsplit=1)[0]) if key.startswith(
        ("train", "val", "test")
    ) else 3, key


def _decode(chunk: ChunkRow) -> tuple[Steps, Values]:
    values = np.frombuffer(chunk.values, "<f8").astype(np.float64)
    if chunk.steps is None:
        return np.arange(chunk.first_step, chunk.last_step + 1, dtype=np.int64), values
    return np.frombuffer(chunk.steps, "<i8").astype(np.int64), values


def _cut(parts: list[tuple[Steps, Values]], from_step: int | None, to_step: int | None) -> tuple[Steps, Values]:
    steps = np.concatenate([part[0] for part in parts])
    values = np.concatenate([part[1] for part in parts])
    start = 0 if from_step is None else int(np.searchsorted(steps, from_step))
    stop = len(steps) if to_step is None else int(np.searchsorted(steps, to_step, side="right"))
    return steps[start:stop], values[start:stop]


def _series(key: str, steps: Steps, values: Values, max_points: int | None) -> Series:
    points = len(steps)
    nonfinite = [
        NonFinite(step=int(steps[at]), value=_spell(float(values[at])))
        for at in np.flatnonzero(~np.isfinite(values))[:MOST_NONFINITE]
    ]
    if max_points is None or points <= max_points:
        return Series(
            key=key,
            points=points,
            sampled=False,
            step=steps.tolist(),
            value=_json_numbers(values),
            nonfinite=nonfinite,
        )
    return _sampled(key, steps, values, max_points, nonfinite)


def _sampled(key: str, steps: Steps, values: Values, max_points: int, nonfinite: list[NonFinite]) -> Series:
    """The series in buckets of equal width in steps; the first point stands alone, the last ends the last bucket."""
    buckets = max(1, max_points - 1)
    span = int(steps[-1] - steps[0])
    width = max(1, -(-span // buckets))
    # The first point is bucket 0; every later one lies in (first + (k-1) width, first + k width].
    bucket = -(-(steps - steps[0]) // width)
    starts = np.flatnonzero(np.diff(bucket, prepend=-1))
    ends = np.append(starts[1:], len(steps)) - 1
    finite = np.isfinite(values)
    counts = np.add.reduceat(finite, starts, dtype=np.int64)
    known = counts > 0
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        low = np.minimum.reduceat(np.where(finite, values, np.inf), starts)
        high = np.maximum.reduceat(np.where(finite, values, -np.inf), starts)
        mean = np.add.reduceat(np.where(finite, values, 0.0), starts) / counts
    return Series(
        key=key,
        points=len(steps),
        sampled=True,
        bucket_steps=width,
        step=steps[ends].tolist(),
        value=_json_numbers(values[ends]),
        min=_json_numbers(np.where(known, low, np.nan)),
        max=_json_numbers(np.where(known, high, np.nan)),
        mean=_json_numbers(np.where(known, mean, np.nan)),
        nonfinite=nonfinite,
    )


def _json_numbers(values: Values) -> list[float | None]:
    if bool(np.isfinite(values).all()):
        return values.tolist()
    return [value if np.isfinite(value) else None for value in values.tolist()]


def _spell(value: float) -> Literal["nan", "inf", "-inf"]:
    if np.isnan(value):
        return "nan"
    return "inf" if value > 0 else "-inf"
