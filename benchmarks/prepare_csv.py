"""What the preparation of a large CSV costs, against what polars itself needs for the same.

Each runs in a process of its own, in turn: Anneal's reading of an upload, from the file to the stored arrays with
types, statistics and warnings; and a program of a few lines in polars that reads the file, asks for the same statistics
and writes the columns. The goal is 1.5 times the time and twice the memory at most.

    python benchmarks/prepare_csv.py [--rows 1000000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from training.data.tables import inspect, save_arrays

COLOURS = ["red", "green", "blue", "violet", "grey"]


def write_table(path: Path, rows: int) -> None:
    """50 columns: 40 quantities, 5 counts, 4 categories, a class; some values of one are missing."""
    rng = np.random.default_rng(0)
    columns = {f"x{place}": rng.normal(size=rows) for place in range(40)}
    columns["x7"][::97] = np.nan
    columns |= {f"count{place}": rng.integers(0, 1000, rows) for place in range(5)}
    columns |= {f"colour{place}": np.array(COLOURS)[rng.integers(0, 5, rows)] for place in range(4)}
    columns["y"] = rng.integers(0, 2, rows)
    pl.DataFrame(columns).fill_nan(None).write_csv(path)


def by_polars(path: Path, out: Path) -> None:
    frame = pl.read_csv(path)
    cells, numbers = pl.all(), pl.selectors.numeric()
    frame.select(
        cells.null_count().name.suffix(" missing"),
        cells.n_unique().name.suffix(" distinct"),
        numbers.min().name.suffix(" minimum"),
        numbers.max().name.suffix(" maximum"),
        numbers.mean().name.suffix(" mean"),
        numbers.std().name.suffix(" std"),
    )
    frame.write_ipc(out)


def by_anneal(path: Path, out: Path) -> None:
    found = inspect(path, "csv", target="y", keep=partial(save_arrays, out))
    assert len(found.columns) == 50


def measure(how: str, path: Path) -> dict[str, float]:
    """Seconds, seconds of a core and peak memory in bytes of a process that does nothing else."""
    command = [sys.executable, __file__, "--alone", how, str(path)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def alone(how: str, path: Path) -> None:
    started, before = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        {"polars": by_polars, "anneal": by_anneal}[how](path, Path(folder) / "out")
        seconds, of_a_core = time.perf_counter() - started, time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "core seconds": of_a_core, "bytes": peak * 1024}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alone", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.alone:
        alone(asked.alone[0], Path(asked.alone[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        write_table(path, asked.rows)
        size = f"{asked.rows:,} x 50, {path.stat().st_size:,} bytes"
        print(f"polars {pl.__version__}, {pl.thread_pool_size()} threads; {size}")
        taken = [{how: measure(how, path) for how in ("polars", "anneal")} for _ in range(asked.rounds)]
    for what, unit, size in (("seconds", "s", 1), ("core seconds", "s", 1), ("bytes", "MB", 1e6)):
        values = {how: statistics.median(turn[how][what] / size for turn in taken) for how in ("polars", "anneal")}
        ratio = statistics.median(turn["anneal"][what] / turn["polars"][what] for turn in taken)
        print(
            f"{what:>12}: polars {values['polars']:.1f} {unit}, Anneal {values['anneal']:.1f} {unit}, ratio {ratio:.2f}"
        )


if __name__ == "__main__":
    main()
