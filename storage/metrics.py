"""A job's curves as they are asked for: whole, a range of them, in buckets, or as a stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
from sqlalchemy.orm import Session

from api_schemas.curves import Metrics
from storage.cells import Cells, Steps, Values, cells_of, joined, merged, width_of
from storage.database import Database, by_id, fetch
from storage.points import FOREVER, Extent, Gap, Stretch, Summary, extents, read_chunks, read_summaries, stream_chunks
from storage.tables import JobRow

MOST_NONFINITE = 1000
_GAPS_AT_ONCE = 32
_STREAMED_CHUNKS = 16
"""Chunks of a series that are read in one transaction while it is streamed: 65,536 points where they are full."""


@dataclass(frozen=True)
class Curve:
    """A series over a range, in the words of `api_schemas.curves.Series`."""

    key: str
    points: int
    step: Steps
    value: Values
    nonfinite: Stretch
    buckets: Mapping[str, int | Values] = field(default_factory=dict[str, int | Values])
    """`bucket_steps`, `min`, `max` and `mean` where the values stand for buckets."""

    def document(self) -> dict[str, Any]:
        """It as it is answered; what is not finite becomes null on the way to JSON."""
        absent = {"bucket_steps": None, "min": None, "max": None, "mean": None}
        spelled = [
            {"step": step, "value": repr(value)}
            for step, value in zip(self.nonfinite.steps.tolist(), self.nonfinite.values.tolist(), strict=True)
        ]
        values = {"step": self.step, "value": self.value, **absent, **self.buckets, "nonfinite": spelled}
        return {"key": self.key, "points": self.points, "sampled": bool(self.buckets), **values}


@dataclass(frozen=True)
class Curves:
    """The curves of a job, and the version of the job that they belong to."""

    job: str
    state: str
    version: int
    last_step: int | None
    series: Sequence[Curve]

    def json(self) -> bytes:
        """The document of `api_schemas.curves.Metrics`, written from arrays: no object is made of a number."""
        series = [curve.document() for curve in self.series]
        document = {"object": "metrics", "job": self.job, "state": self.state, "last_step": self.last_step}
        return orjson.dumps(document | {"series": series}, option=orjson.OPT_SERIALIZE_NUMPY)


def read_curves(
    database: Database,
    project: str,
    job_id: str,
    keys: Sequence[str] | None = None,
    from_step: int | None = None,
    to_step: int | None = None,
    max_points: int | None = None,
) -> Curves:
    """A job's curves.

    Args:
        database: where they are.
        project: who asks.
        job_id: whose they are.
        keys: of the series; all where None. One that does not exist is left out.
        from_step: first step, inclusive.
        to_step: last step, inclusive.
        max_points: most values of a series, at least 2; one with more points is given in buckets.

    Raises:
        NotFound: this project has no such job.
    """
    start, end = from_step or 0, FOREVER if to_step is None else to_step
    with database.read() as session:
        job = _job(session, project, job_id)
        known = extents(session, job.id, start)
        asked = _asked(known, keys, end)
        series = _whole(session, job.id, asked) if max_points is None else _sampled(session, job.id, asked, max_points)
        last = max((one.last for one in known), default=None)
        return Curves(job.id, job.state, job.version, last, [series[one.key] for one in asked])


def _job(session: Session, project: str, job_id: str) -> Any:
    columns = by_id(JobRow, project, job_id).with_only_columns(JobRow.id, JobRow.state, JobRow.version)
    return session.execute(columns).one_or_none() or fetch(session, JobRow, project, job_id)  # says that there is none


def read_metrics(database: Database, project: str, job_id: str, **asked: Any) -> tuple[Metrics, int]:
    """What `read_curves` finds as the object that a client gets, and the version of the job."""
    curves = read_curves(database, project, job_id, **asked)
    return Metrics.model_validate_json(curves.json()), curves.version


def read_points(session: Session, job_id: str, keys: Sequence[str] | None = None) -> dict[str, Stretch]:
    """All raw points by series."""
    gaps = [one.gap for one in _asked(extents(session, job_id, 0), keys, FOREVER)]
    return {key: Stretch.of(parts) for key, parts in read_chunks(session, job_id, gaps).items()}


def stream_points(
    database: Database, project: str, job_id: str, keys: Sequence[str] | None
) -> Iterator[tuple[str, Stretch]]:
    """Every raw point of a job, some chunks at a time, by series.

    Each part is a transaction of its own, so that a slow reader holds nothing up.

    Raises:
        NotFound: this project has no such job.
    """
    with database.read() as session:
        job = _job(session, project, job_id)
        asked = _asked(extents(session, job.id, 0), keys, FOREVER)
    for one in asked:
        after = -1
        while after < one.last:
            with database.read() as session:
                part = stream_chunks(session, job_id, Gap(one.key, after, one.last), _STREAMED_CHUNKS)
            if not part:
                break  # the rest was dropped: the job goes on from an earlier step
            yield one.key, part
            after = part.last


@dataclass(frozen=True)
class _Asked:
    """What a reader wants of one series."""

    key: str
    first: int
    """No point of the range is before it."""
    last: int
    """No point of the range is behind it."""
    levels: int

    @property
    def gap(self) -> Gap:
        """All of the range."""
        return Gap(self.key, self.first - 1, self.last)


def _asked(known: Sequence[Extent], keys: Sequence[str] | None, end: int) -> list[_Asked]:
    """The series that a reader wants and that reach into the range, in the order in which they are shown."""
    by_key = {one.key: one for one in known}
    order = sorted(by_key, key=_reading_order) if keys is None else dict.fromkeys(keys)
    inside = (by_key[key] for key in order if key in by_key)
    return [
        _Asked(one.key, one.first, min(end, one.last), one.levels)
        for one in inside
        if one.first is not None and one.first <= min(end, one.last)
    ]


def _reading_order(key: str) -> tuple[int, str]:
    splits = ("train", "val", "test")
    split = key.split("/", maxsplit=1)[0]
    return splits.index(split) if split in splits else len(splits), key


def _whole(session: Session, job_id: str, asked: Sequence[_Asked]) -> dict[str, Curve]:
    """Series by key, with each of their points."""
    found = read_chunks(session, job_id, [one.gap for one in asked])
    return {one.key: _raw(one.key, Stretch.of(found.get(one.key, []))) for one in asked}


def _raw(key: str, points: Stretch) -> Curve:
    odd = points.where(~np.isfinite(points.values)).between(0, MOST_NONFINITE)
    return Curve(key, len(points), points.steps, points.values, odd)


def _sampled(session: Session, job_id: str, asked: Sequence[_Asked], most: int) -> dict[str, Curve]:
    """Series by key, in buckets where they have more than so many points.

    What is read is in proportion to the buckets: summaries where there are some as narrow as a bucket, and raw points
    at the ends of the range.
    """
    long = [one for one in asked if one.last - one.first >= most]
    widths = {one.key: _bucket_steps(one.first, one.last, most) for one in long}
    cells = _cells(session, job_id, long, widths)
    few = [one for one in asked if one.key not in cells or _points(cells[one.key]) <= most]
    series = _whole(session, job_id, few)
    for one in long:
        if one not in few:
            odd = _nonfinite(session, job_id, one, cells[one.key])
            series[one.key] = _bucketed(one.key, cells[one.key], widths[one.key], odd)
    return series


def _bucket_steps(first: int, last: int, most: int) -> int:
    """The smallest power of two of whose multiples the points behind the first one lie between few enough."""
    width = width_of(last - first, most - 1)
    while last // width - (first + 1) // width + 2 > most:
        width *= 2
    return width


def _cells(session: Session, job_id: str, long: Sequence[_Asked], widths: Mapping[str, int]) -> dict[str, Cells]:
    """Cells in which ranges of series lie, none wider than a bucket; the first point has one of its own."""
    # Whatever summary begins behind the first step of the range leaves the first point among the raw ones.
    gaps = [Gap(one.key, one.first, one.last) for one in long]
    levels = max((one.levels for one in long), default=0)
    summaries, left = read_summaries(session, job_id, gaps, widths, levels)
    firsts = [Gap(one.key, one.first - 1, one.first) for one in long]
    raw = read_chunks(session, job_id, [*firsts, *left])
    return {one.key: _in_order(summaries.get(one.key, []), raw.get(one.key, []), widths[one.key]) for one in long}


def _in_order(summaries: Iterable[Summary], raw: Iterable[Stretch], width: int) -> Cells:
    parts = [one.cells for one in summaries] + [cells_of(part.steps, part.values, width) for part in raw]
    return joined(sorted(parts, key=lambda cells: int(cells["last_step"][0])))


def _points(cells: Cells) -> int:
    return int(cells["count"].sum(dtype=np.int64))


def _bucketed(key: str, cells: Cells, width: int, nonfinite: Stretch) -> Curve:
    """The first point stands alone; each later bucket ends before a multiple of its width, the last with its points."""
    wide = joined([cells[:1], merged(cells[1:], width)])
    some = wide["finite"] > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = wide["sum"] / wide["finite"]
    low, high = (np.where(some, wide[name], np.nan) for name in ("min", "max"))
    buckets: dict[str, int | Values] = {"bucket_steps": width, "min": low, "max": high, "mean": mean}
    step, value = (np.ascontiguousarray(wide[name]) for name in ("last_step", "value"))
    return Curve(key, _points(cells), step, value, nonfinite, buckets)


def _nonfinite(session: Session, job_id: str, asked: _Asked, cells: Cells) -> Stretch:
    """The first points that are not finite; a cell says only that it has some, and the raw points say which."""
    afters = np.concatenate([[asked.first - 1], cells["last_step"][:-1]])
    odd = np.flatnonzero(cells["finite"] < cells["count"])[:MOST_NONFINITE]
    gaps = [Gap(asked.key, int(afters[at]), int(cells["last_step"][at])) for at in odd]
    found = Stretch.of([])
    while gaps and len(found) < MOST_NONFINITE:
        some, gaps = gaps[:_GAPS_AT_ONCE], gaps[_GAPS_AT_ONCE:]
        points = Stretch.of(read_chunks(session, job_id, some).get(asked.key, []))
        found = Stretch.of([found, points.where(~np.isfinite(points.values))])
    return found.between(0, MOST_NONFINITE)
