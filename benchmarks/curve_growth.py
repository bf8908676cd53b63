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
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from service.plot_axes import Axis
from service.plot_paper import sheet
from service.plot_text import text
from storage import jobs
from storage.curves import CurveWriter
from storage.database import Database
from storage.metrics import read_curves
from storage.migrations import upgrade

KEY = "train/loss"
REPORT_POINTS = 10_000
MOST_READ_WHOLE = 1_000_000
COLOURS = {
    "a report of up to 10,000 points": "train",
    "1,000 buckets of all": "val",
    "1,000 buckets of a tenth": "test",
}
WHOLE = "every point"

Costs = dict[str, dict[int, float]]
"""Milliseconds by what was done and how many points the curve had."""


def grow(database: Database, sizes: list[int], repeats: int) -> Costs:
    plan = make_plan(JobSpec.model_validate({"dataset": {"name": "digits"}}), None)
    job = jobs.submit(database, "default", plan)[0].id
    curves, values = CurveWriter(job), np.random.default_rng(0).normal(size=REPORT_POINTS)
    write(database, CurveWriter(jobs.submit(database, "default", plan)[0].id), 0, values)  # the first one ever is slow
    costs: Costs = {name: {} for name in [*COLOURS, WHOLE]}
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


def median_read(database: Database, job: str, repeats: int, asked: dict[str, int]) -> float:
    def read() -> bytes:
        return read_curves(database, "default", job, **asked).json()

    read()
    return statistics.median(milliseconds(read) for _ in range(repeats))


def milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def plot(costs: Costs, width: int = 860, height: int = 420) -> str:
    """The costs over the points, both on log scales."""
    sizes = sorted({size for line in costs.values() for size in line})
    x = Axis.around(sizes, 72, width - 210, log=True, pad=0.02)
    y = Axis.around([cost for line in costs.values() for cost in line.values()], height - 60, 78, log=True)
    elements = [*_grid(x, y)]
    for (name, line), colour in zip(costs.items(), [*COLOURS.values(), "bad"], strict=True):
        points = "L".join(f"{x(size)} {y(cost)}" for size, cost in line.items())
        end = max(line)
        elements.append(f'<path class="line {colour}" d="M{points}"/>')
        elements.append(text(x(end) + 8, y(line[end]) + 4, name))
    said = "; ".join(f"{name}: {line[min(line)]:.1f} to {line[max(line)]:.1f} ms" for name, line in costs.items())
    return sheet("A curve that grows", "milliseconds over points", elements, width, height, description=said)


def _grid(x: Axis, y: Axis) -> Iterator[str]:
    for value, label in y.ticks(6):
        yield f'<path class="grid" d="M{x.start} {y(value)}H{x.end}"/>'
        yield text(x.start - 8, y(value) + 4, label, anchor="end")
    for value, label in x.ticks(6):
        yield f'<path class="axis" d="M{x(value)} {y.start}v4"/>'
        yield text(x(value), y.start + 18, label, anchor="middle")
    yield f'<path class="axis" d="M{x.start} {y.start}H{x.end}"/>'
    yield text((x.start + x.end) / 2, y.start + 40, "points of the curve", anchor="middle")


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
    print(f"| milliseconds | {' | '.join(f'{size:,}' for size in sizes)} |\n| --- {'| --- ' * len(sizes)}|")
    for name, line in costs.items():
        cells = [f"{line[size]:.1f}" if size in line else "" for size in sizes]
        print(f"| {name} | {' | '.join(cells)} |")
    if asked.plot:
        asked.plot.write_text(plot(costs))


if __name__ == "__main__":
    main()
