"""What a curve costs while it grows from a thousand points to ten million: to write, and to look at from anywhere.

Everything is measured inside one process, without HTTP, so that what grows is not hidden by what does not. Whoever
asks for every point pays for every point; the other lines should stay flat, and writing costs the same for each point.

    python benchmarks/curve_growth.py [--largest 10000000] [--database URL] [--plot curve-growth.svg]
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from benchmarks.growth import milliseconds, plot, table
from storage import jobs
from storage.curves import CurveWriter
from storage.database import Database
from storage.metrics import read_curves
from storage.migrations import upgrade

KEY = "train/loss"
REPORT_POINTS = 10_000
MOST_READ_WHOLE = 1_000_000
SUMMARIES = ("a report of up to 10,000 points", "1,000 buckets of all", "1,000 buckets of a tenth")
WHOLE = "every point"


def grow(database: Database, sizes: list[int], repeats: int) -> dict[str, dict[int, float]]:
    plan = make_plan(JobSpec.model_validate({"dataset": {"name": "digits"}}), None)
    job = jobs.submit(database, "default", plan)[0].id
    curves, values = CurveWriter(job), np.random.default_rng(0).normal(size=REPORT_POINTS)
    write(database, CurveWriter(jobs.submit(database, "default", plan)[0].id), 0, values)  # the first one ever is slow
    costs: dict[str, dict[int, float]] = {name: {} for name in [*SUMMARIES, WHOLE]}
    for before, size in itertools.pairwise([0, *sizes]):
        reports = []
        for start in range(before, size, REPORT_POINTS):
            part = values[: size - start]
            reports.append(milliseconds(lambda start=start, part=part: write(database, curves, start, part)))
        costs["a report of up to 10,000 points"][size] = statistics.median(reports)
        for name, start, end in (("all", 0, size), ("a tenth", size // 2, size // 2 + size // 10)):
            asked = {"from_step": start, "to_step": end - 1, "max_points": 1000}
            costs[f"1,000 buckets of {name}"][size] = median_read(database, job, repeats, asked)
        if size <= MOST_READ_WHOLE:
            costs[WHOLE][size] = median_read(database, job, max(3, repeats // 10), {})
    return costs


def write(database: Database, curves: CurveWriter, start: int, values: np.ndarray) -> None:
    curves.add(KEY, range(start, start + len(values)), values)
    with database.write() as session:
        curves.write(session)
    curves.written()


def median_read(database: Database, job: str, repeats: int, asked: dict[str, Any]) -> float:
    def read() -> bytes:
        return read_curves(database, "default", job, **asked).json()

    read()
    return statistics.median(milliseconds(read) for _ in range(repeats))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--database", help="an empty one; by default a file of SQLite")
    parser.add_argument("--plot", type=Path, help="where the picture goes")
    asked = parser.parse_args()
    sizes = [size for power in range(3, 10) if (size := 10**power) <= asked.largest]
    with tempfile.TemporaryDirectory() as folder:
        url = asked.database or f"sqlite:///{folder}/anneal.db"
        upgrade(url)
        database = Database(url)
        costs = grow(database, sizes, asked.repeats)
        database.close()
    print(table(costs, sizes))
    if asked.plot:
        asked.plot.write_text(plot(costs, "A curve that grows", "points of the curve"))


if __name__ == "__main__":
    main()
