"""Writing the curves of an attempt: small chunks that grow together, and summaries of those that are full."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import bindparam, delete
from sqlalchemy.orm import Session

from storage.cells import Steps, Values, cells_of, joined, merged, width_of
from storage.database import insert
from storage.points import FOREVER, Gap, Stretch, Summary, encoded, extents, read_chunks, read_summaries
from storage.tables import ChunkRow, SummaryRow

CHUNK_POINTS = 4096
"""Points in a full chunk, which is never written again."""
CELLS = 64
"""Cells in a summary, or one more where its ends cut two."""
FANOUT = 16
"""Summaries of one level that one of the next covers."""


@dataclass
class _Series:
    """What a writer knows of one series: its points behind the last full chunk, and what was not yet written."""

    chunk_points: int
    last: int = -1
    """Step of its last point."""
    fresh: list[Stretch] = field(default_factory=list[Stretch])
    """Added, and in no chunk yet."""
    tail: list[Stretch] = field(default_factory=list[Stretch])
    """Chunks that are not full, each less than half as long as the one before it."""
    summed: list[list[Summary]] = field(default_factory=list[list[Summary]])
    """By level, the summaries that no summary of the next covers."""
    after: int = -1
    """Last step of all full chunks."""
    changed_from: int | None = None
    """Chunks that begin at this step or behind it are not written as they are now."""
    full: list[Stretch] = field(default_factory=list[Stretch])
    """Full chunks to be written."""
    summaries: list[Summary] = field(default_factory=list[Summary])
    """Summaries to be written."""

    def settle(self) -> None:
        """Put what is fresh into chunks. It takes in those before it as long as they are not twice as long.

        So a point is written again only as often as its chunk about doubles, twelve times at most, and there are never
        more than a dozen chunks that are not full.
        """
        if not self.fresh:
            return
        parts, count = [*self.fresh], sum(map(len, self.fresh))
        overflows = sum(map(len, self.tail)) + count >= self.chunk_points
        while self.tail and (overflows or len(self.tail[-1]) < 2 * count):
            parts.insert(0, self.tail.pop())
            count += len(parts[0])
        self.fresh.clear()
        self._put(Stretch.of(parts))

    def _put(self, stretch: Stretch) -> None:
        self.changed_from = min(stretch.first, FOREVER if self.changed_from is None else self.changed_from)
        whole = len(stretch) // self.chunk_points * self.chunk_points
        for start in range(0, whole, self.chunk_points):
            chunk = stretch.between(start, start + self.chunk_points)
            self.full.append(chunk)
            width = width_of(chunk.last - self.after, CELLS)
            cells = cells_of(chunk.steps, chunk.values, width)
            self._summarise(Summary(1, self.after, chunk.last, width, cells))
            self.after = chunk.last
        if whole < len(stretch):
            self.tail.append(stretch.between(whole, len(stretch)))

    def _summarise(self, summary: Summary) -> None:
        """Write a summary, and one of the next level once there are enough."""
        self.summaries.append(summary)
        if len(self.summed) < summary.level:
            self.summed.append([])
        waiting = self.summed[summary.level - 1]
        waiting.append(summary)
        if len(waiting) == FANOUT:
            after, last = waiting[0].after, summary.last
            width = width_of(last - after, CELLS)
            cells = merged(joined(one.cells for one in waiting), width)
            waiting.clear()
            self._summarise(Summary(summary.level + 1, after, last, width, cells))

    def chunks(self) -> list[Stretch]:
        """Those that are to be written."""
        if self.changed_from is None:
            return []
        return [*self.full, *(chunk for chunk in self.tail if chunk.first >= self.changed_from)]


class CurveWriter:
    """Collects the points of one attempt and writes them in the transactions of whoever holds the lease.

    Args:
        job_id: whose they are.
        chunk_points: points in a full chunk.
    """

    def __init__(self, job_id: str, chunk_points: int = CHUNK_POINTS) -> None:
        self._job_id = job_id
        self._series: dict[str, _Series] = defaultdict(lambda: _Series(chunk_points))

    def rewind(self, session: Session, steps_done: int) -> None:
        """Drop the points of steps that will be done again, and go on behind the others."""
        series = extents(session, self._job_id, 0)
        behind = SummaryRow.job_id == self._job_id, SummaryRow.last_step >= steps_done
        session.execute(delete(SummaryRow).where(*behind))
        gaps = [Gap(one.key, -1, steps_done - 1) for one in series]
        levels = max((one.levels for one in series), default=0)
        summaries, left = read_summaries(session, self._job_id, gaps, defaultdict(lambda: FOREVER), levels)
        chunks = read_chunks(session, self._job_id, left)
        for one in series:
            self._go_on(one.key, summaries[one.key], chunks.get(one.key, []), levels)
        session.execute(delete(ChunkRow).where(ChunkRow.job_id == self._job_id, ChunkRow.last_step >= steps_done))
        self.write(session)

    def _go_on(self, key: str, summaries: Sequence[Summary], chunks: Sequence[Stretch], levels: int) -> None:
        """Begin where the points of earlier attempts end; those in no summary are put into chunks again."""
        series = self._series[key]
        series.after = max((one.last for one in summaries), default=-1)
        series.last = chunks[-1].last if chunks else series.after
        series.summed = [[one for one in summaries if one.level == level] for level in range(1, levels + 1)]
        series.fresh = [*chunks]

    def add(self, key: str, steps: Sequence[int] | Steps, values: Sequence[float] | Values) -> None:
        """Add points, in rising order of steps; one at a step that the series already has is the same and is left."""
        series = self._series[key]
        added = Stretch(_steps(steps), np.asarray(values, np.float64))
        if len(added.steps) != len(added.values):
            raise ValueError(f"{len(added.steps)} steps of {key} have {len(added.values)} values")
        if new := added.within(series.last, FOREVER):
            series.fresh.append(new)
            series.last = new.last

    def write(self, session: Session) -> None:
        """Write what was added since the last call that was followed by `written`."""
        chunks: list[dict[str, Any]] = []
        summaries: list[dict[str, Any]] = []
        changed: list[dict[str, Any]] = []
        for key, series in self._series.items():
            series.settle()
            place = {"job_id": self._job_id, "key": key}
            chunks += [place | encoded(chunk) for chunk in series.chunks()]
            summaries += [place | _row(summary) for summary in series.summaries]
            if series.changed_from is not None:
                changed.append({"of": self._job_id, "named": key, "from": series.changed_from})
        if changed:
            session.connection().execute(_DELETE, changed)
            session.connection().execute(insert(session, ChunkRow), chunks)
        if summaries:  # one that was written before, and not answered, is the same
            session.connection().execute(insert(session, SummaryRow).on_conflict_do_nothing(), summaries)

    def written(self) -> None:
        """The transaction of the last `write` is committed."""
        for series in self._series.values():
            series.changed_from = None
            series.full.clear()
            series.summaries.clear()


_DELETE = delete(ChunkRow).where(
    ChunkRow.job_id == bindparam("of"), ChunkRow.key == bindparam("named"), ChunkRow.first_step >= bindparam("from")
)


def _steps(steps: Sequence[int] | Steps) -> Steps:
    if isinstance(steps, range):  # an array of it would be made number by number
        return np.arange(steps.start, steps.stop, steps.step, dtype=np.int64)
    return np.asarray(steps, np.int64)


def _row(summary: Summary) -> dict[str, Any]:
    return {
        "level": summary.level,
        "after_step": summary.after,
        "last_step": summary.last,
        "cell_steps": summary.cell_steps,
        "cells": summary.cells.tobytes(),
    }
