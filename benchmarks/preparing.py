"""What preparing a million rows, or 60,000 images, takes from mapped arrays to tensors: seconds of a core and memory.

Each is measured in a process of its own, beside what the process holds before.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from api_schemas.datasets import Column, ColumnStats, Dataset
from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from training.data.prepare import prepare
from training.data.tables import load_arrays, save_arrays

ROWS = {"table": 1_000_000, "images": 60_000}


def columns(kind: str) -> list[Column]:
    """50 columns of numbers, or one of arrays; and two classes."""
    numbers = ColumnStats(missing=0, distinct=3, minimum=-5, maximum=5, mean=0, std=1)
    array = numbers.model_copy(update={"shape": [1, 28, 28]})
    if kind == "table":
        features = [Column(name=f"x{place}", type="numeric", role="feature", stats=numbers) for place in range(50)]
    else:
        features = [Column(name="x", type="array", role="feature", stats=array)]
    half = ROWS[kind] // 2
    classes = ColumnStats(missing=0, distinct=2, categories=["a", "b"], counts=[half, half])
    return [*features, Column(name="y", type="category", role="target", stats=classes)]


def write(kind: str, path: Path) -> None:
    """The arrays that a reader would leave behind."""
    rng, rows = np.random.default_rng(0), ROWS[kind]
    arrays = {"y": np.arange(rows, dtype=np.int32) % 2}
    for column in columns(kind)[:-1]:
        table = kind == "table"
        arrays[column.name] = rng.normal(size=rows) if table else rng.integers(0, 256, (rows, 784), dtype=np.uint8)
    save_arrays(path, arrays)


def measure(kind: str, path: Path) -> None:
    """Prepare once, and print what it took."""
    about = {"id": "ds_1", "name": "file", "state": "ready", "terminal": True, "version": 1, "sha256": "", "bytes": 0}
    about |= {"created_at": "2024-01-01T00:00:00Z", "format": "csv", "rows": ROWS[kind], "columns": columns(kind)}
    dataset = Dataset.model_validate(about | ({"array": (1, 28, 28)} if kind == "images" else {}))
    plan = make_plan(JobSpec.model_validate({"dataset": {"id": "ds_1"}, "target": "y"}), dataset)
    before, started = peak_megabytes(), time.process_time()
    data = prepare(plan.spec, dataset, load_arrays(path))
    seconds, result = time.process_time() - started, sum(part.x.nbytes for part in data.parts) / 1e6
    files = path.stat().st_size / 1e6
    print(f"| {kind} | {seconds:.1f} | {files:.0f} | {result:.0f} | {peak_megabytes() - before:.0f} |")


def peak_megabytes() -> float:
    """The most memory that this process had, mapped files among it."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1e3


def main() -> None:
    """Measure both, each in a fresh process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=2, metavar=("KIND", "FILE"), help="measure here, from a file that is written")
    one = parser.parse_args().one
    if one:
        measure(one[0], Path(one[1]))
        return
    print("| what | seconds of a core | arrays, MB | tensors, MB | peak above start, MB |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for kind in ROWS:
            path = Path(folder) / kind
            write(kind, path)
            subprocess.run([sys.executable, __file__, "--one", kind, str(path)], check=True)


if __name__ == "__main__":
    main()
