"""Where the points of a curve lie: in chunks, and in summaries for whoever looks from further away."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import CTE, BigInteger, ColumnElement, String, and_, bindparam, case, func, or_, select
from sqlalchemy.orm import Session

from storage.cells import CELL, Cells, Steps, Values
from storage.tables import ChunkRow, SummaryRow

FOREVER = 2**63 - 1
"""A step that no series reaches."""
_JOB = bindparam("job", type_=String)


@dataclass(frozen=True)
class Stretch:
    """Consecutive points of a series."""

    steps: Steps
    """Shape (points,), rising."""
    values: Values
    """Shape (points,)."""

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def first(self) -> int:
        """The step of the first point."""
        return int(self.steps[0])

    @property
    def last(self) -> int:
        """The step of the last point."""
        return int(self.steps[-1])

    def within(self, after: int, until: int) -> Stretch:
        """The points of a range; `after` is left out, `until` is not."""
        start, stop = np.searchsorted(self.steps, [after, until], side="right")
        return self.between(int(start), int(stop))

    def between(self, start: int, stop: int) -> Stretch:
        """The points from one place to before another."""
        return Stretch(self.steps[start:stop], self.values[start:stop])

    def where(self, chosen: NDArray[np.bool_]) -> Stretch:
        """Some of the points; `chosen` has the shape (points,)."""
        return Stretch(self.steps[chosen], self.values[chosen])

    @staticmethod
    def of(parts: Sequence[Stretch]) -> Stretch:
        """Several that follow each other, as one."""
        if len(parts) == 1:
            return parts[0]
        steps, values = [part.steps for part in parts], [part.values for part in parts]
        return Stretch(np.concatenate(steps), np.concatenate(values)) if parts else Stretch(_NO_STEPS, _NO_VALUES)


_NO_STEPS, _NO_VALUES = np.empty(0, np.int64), np.empty(0, np.float64)


@dataclass(frozen=True)
class Gap:
    """A range of a series: of the points after one step until another."""

    key: str
    after: int
    until: int


@dataclass(frozen=True)
class Summary:
    """A range of a series in cells."""

    level: int
    after: int
    """All points behind this step until the last one are in it."""
    last: int
    cell_steps: int
    """Its cells end at multiples of this many steps; those of the range's ends may be cut."""
    cells: Cells


@dataclass(frozen=True)
class Extent:
    """A series of a job and how much of it lies in a range."""

    key: str
    first: int | None
    """No point of the range is before it, and the first of a chunk is one; None where the range is behind them all."""
    last: int
    """Of the series, whatever the range."""
    levels: int
    """How many levels of summaries it has."""


def extents(session: Session, job_id: str, from_step: int) -> list[Extent]:
    """The series of a job, each found by a look into an index, however long it is."""
    return [Extent(*row) for row in session.connection().execute(_extents(), {"job": job_id, "from": from_step})]


# A statement takes longer to put together than to run, so each is put together once.


@cache
def _extents() -> Any:
    keys, start = _keys(), bindparam("from", type_=BigInteger)
    chunks = select(ChunkRow).where(ChunkRow.job_id == _JOB, ChunkRow.key == keys.c.key)
    at = chunks.where(ChunkRow.first_step <= start).order_by(ChunkRow.first_step.desc()).limit(1)
    cut = at.with_only_columns(case((ChunkRow.last_step >= start, start)))
    behind = chunks.where(ChunkRow.first_step > start).with_only_columns(func.min(ChunkRow.first_step))
    last = chunks.order_by(ChunkRow.first_step.desc()).limit(1).with_only_columns(ChunkRow.last_step)
    levels = select(func.max(SummaryRow.level)).where(SummaryRow.job_id == _JOB, SummaryRow.key == keys.c.key)
    return select(
        keys.c.key,
        func.coalesce(cut.scalar_subquery(), behind.scalar_subquery()),
        last.scalar_subquery(),
        func.coalesce(levels.scalar_subquery(), 0),
    ).where(keys.c.key.is_not(None))


def _keys() -> CTE:
    """The keys of a job's series in rising order, the next one found from the one before; the last is NULL."""
    smallest = select(func.min(ChunkRow.key)).where(ChunkRow.job_id == _JOB)
    keys = select(smallest.scalar_subquery().label("key")).cte("keys", recursive=True)
    following = smallest.where(ChunkRow.key > keys.c.key).scalar_subquery()
    return keys.union_all(select(following).where(keys.c.key.is_not(None)))


def read_chunks(session: Session, job_id: str, gaps: Sequence[Gap]) -> dict[str, list[Stretch]]:
    """The raw points of ranges by series, in rising order; ranges of one series do not overlap."""
    found: dict[str, list[Stretch]] = defaultdict(list)
    wanted: dict[str, list[Gap]] = defaultdict(list)
    for gap in gaps:
        wanted[gap.key].append(gap)
    for row in session.connection().execute(_chunks(len(gaps)), _named(job_id, gaps)) if gaps else ():
        chunk = decoded(row)
        for gap in wanted[row.key]:
            if part := chunk.within(gap.after, gap.until):
                found[row.key].append(part)
    return found


def stream_chunks(session: Session, job_id: str, gap: Gap, most: int) -> Stretch:
    """The first points of a range, of up to so many chunks."""
    rows = session.connection().execute(_chunks(1).limit(most), _named(job_id, [gap]))
    return Stretch.of([decoded(row).within(gap.after, gap.until) for row in rows])


@cache
def _chunks(gaps: int) -> Any:
    columns = (ChunkRow.key, ChunkRow.first_step, ChunkRow.last_step, ChunkRow.steps, ChunkRow.values)
    reached = or_(*(_has_points(*_bounds(number)) for number in range(gaps)))
    return select(*columns).where(reached).order_by(ChunkRow.key, ChunkRow.first_step)


def _has_points(key: Any, after: Any, until: Any) -> ColumnElement[bool]:
    """Whether a chunk reaches into a range, said so that the index finds the first one at once."""
    series = and_(ChunkRow.job_id == _JOB, ChunkRow.key == key)
    at = select(func.max(ChunkRow.first_step)).where(series, ChunkRow.first_step <= after + 1)
    start = func.coalesce(at.scalar_subquery(), after + 1)
    return and_(series, ChunkRow.first_step >= start, ChunkRow.first_step <= until, ChunkRow.last_step > after)


def _bounds(number: int) -> tuple[Any, Any, Any]:
    return (
        bindparam(f"key_{number}", type_=String),
        bindparam(f"after_{number}", type_=BigInteger),
        bindparam(f"until_{number}", type_=BigInteger),
    )


def _named(job_id: str, gaps: Sequence[Gap], **others: int) -> dict[str, str | int]:
    bounds = [(f"key_{at}", f"after_{at}", f"until_{at}") for at in range(len(gaps))]
    values = ((gap.key, gap.after, gap.until) for gap in gaps)
    named = (pair for names, found in zip(bounds, values, strict=True) for pair in zip(names, found, strict=True))
    return {"job": job_id, **others, **dict(named)}


def decoded(row: Any) -> Stretch:
    """The points of a chunk's row."""
    values = np.frombuffer(row.values, "<f8").astype(np.float64, copy=False)
    if row.steps is None:
        return Stretch(np.arange(row.first_step, row.last_step + 1, dtype=np.int64), values)
    return Stretch(np.frombuffer(row.steps, "<i8").astype(np.int64, copy=False), values)


def encoded(stretch: Stretch) -> dict[str, Any]:
    """What a chunk's row says of its points."""
    first, last, count = stretch.first, stretch.last, len(stretch)
    whole = last - first + 1 == count
    return {
        "first_step": first,
        "last_step": last,
        "count": count,
        "steps": None if whole else stretch.steps.astype("<i8", copy=False).tobytes(),
        "values": stretch.values.astype("<f8", copy=False).tobytes(),
    }


def read_summaries(
    session: Session, job_id: str, gaps: Sequence[Gap], widths: Mapping[str, int], levels: int
) -> tuple[dict[str, list[Summary]], list[Gap]]:
    """The widest summaries that ranges have, level by level, and the ranges that are left between them.

    Args:
        session: to read with.
        job_id: whose they are.
        gaps: the ranges.
        widths: for each series, what the width of a cell may be at most, in steps.
        levels: how many there may be.
    """
    found: dict[str, list[Summary]] = defaultdict(list)
    gaps = [*gaps]
    for level in range(levels, 0, -1):
        rows = _summaries(session, job_id, level, gaps) if gaps else {}
        left: list[Gap] = []
        for gap in gaps:
            inside = [one for one in rows.get(gap.key, ()) if gap.after <= one.after and one.last <= gap.until]
            usable = [one for one in inside if one.cell_steps <= widths[gap.key]]
            found[gap.key] += usable
            left += _between(gap, usable)
        gaps = left
    return found, gaps


def _summaries(session: Session, job_id: str, level: int, gaps: Sequence[Gap]) -> dict[str, list[Summary]]:
    rows: dict[str, list[Summary]] = defaultdict(list)
    for row in session.connection().execute(_inside(len(gaps)), _named(job_id, gaps, level=level)):
        cells = np.frombuffer(row.cells, CELL)
        rows[row.key].append(Summary(level, row.after_step, row.last_step, row.cell_steps, cells))
    return rows


@cache
def _inside(gaps: int) -> Any:
    def inside(key: Any, after: Any, until: Any) -> ColumnElement[bool]:
        place = (SummaryRow.job_id == _JOB, SummaryRow.key == key, SummaryRow.level == bindparam("level"))
        return and_(
            *place, SummaryRow.after_step >= after, SummaryRow.after_step < until, SummaryRow.last_step <= until
        )

    columns = (SummaryRow.key, SummaryRow.after_step, SummaryRow.last_step, SummaryRow.cell_steps, SummaryRow.cells)
    query = select(*columns).where(or_(*(inside(*_bounds(number)) for number in range(gaps))))
    return query.order_by(SummaryRow.key, SummaryRow.after_step)


def _between(gap: Gap, summaries: Sequence[Summary]) -> Iterator[Gap]:
    """What summaries in rising order leave of a range."""
    after = gap.after
    for one in summaries:
        if one.after > after:
            yield Gap(gap.key, after, one.after)
        after = one.last
    if gap.until > after:
        yield Gap(gap.key, after, gap.until)
