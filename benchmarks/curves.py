"""Curves beside MLflow and beside rows of SQLite: storing points, reading them whole, in 1,000 buckets, bytes on disk.

Each turn takes every side once, in random order, and ratios are of one turn, so that fast and slow spells of the
machine hit all alike. MLflow is its own server on SQLite, asked over REST as its client asks it. Anneal is its gateway
on SQLite, asked over HTTP; its points come as a worker writes them, in one transaction a report, as there is no route
that takes points from outside. The rows are a table of job, series, step and value in one process, without HTTP.

    python -m venv peers && peers/bin/pip install mlflow
    python benchmarks/curves.py --mlflow peers/bin/python [--points 100000] [--turns 5]
"""

from __future__ import annotations

import argparse
import itertools
import random
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import numpy as np

from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from embedded.supervisor import make_child, pick_port
from storage import attempts, jobs
from storage.attempts import Report
from storage.curves import CurveWriter
from storage.database import Database
from storage.migrations import upgrade
from storage.settings import Settings

REPORT_POINTS = 10_000
"""What a fast trainer tells in half a second."""
MLFLOW_BATCH = 1000
"""MLflow takes no more metrics in a request."""
BUCKETS = 1000
KEY = "train/loss"


class Anneal:
    """A gateway over SQLite, and a worker's hand that writes to it.

    What is timed leaves out the losses' way from the trainer to the worker, and has all of theirs to the disk.
    """

    def __init__(self, home: Path, stack: ExitStack) -> None:
        settings = Settings(home=home, port=pick_port("127.0.0.1", 0))
        upgrade(settings.database)
        self.database = Database(settings.database)
        stack.callback(self.database.close)
        self.file = Path(settings.database.removeprefix("sqlite:///"))
        gateway = make_child("gateway", settings, home)
        gateway.start()
        stack.callback(gateway.stop, 5)
        self.http = stack.enter_context(
            httpx.Client(base_url=f"http://127.0.0.1:{settings.port}", trust_env=False, timeout=60)
        )
        wait_for(self.http, "/healthz")

    def begin(self) -> None:
        plan = make_plan(JobSpec.model_validate({"dataset": {"name": "digits"}}), None)
        job = jobs.submit(self.database, "default", plan)[0]
        claimed = attempts.claim(self.database, "wrk_bench", ["default"], ["cpu"], 600)
        assert claimed is not None
        assert claimed.lease.job_id == job.id
        self.job, self.lease = job.id, claimed.lease

    def append(self, values: np.ndarray) -> None:
        curves = CurveWriter(self.job)
        for start in range(0, len(values), REPORT_POINTS):
            part = values[start : start + REPORT_POINTS]
            curves.add(KEY, range(start, start + len(part)), part)
            attempts.report(self.database, self.lease, curves, Report(start + len(part), {}))

    def read(self, **asked: int) -> httpx.Response:
        query = {"keys": KEY, **asked}
        return self.http.get(f"/v1/jobs/{self.job}/metrics", params=query).raise_for_status()

    def whole(self) -> int:
        return len(self.read().json()["series"][0]["value"])

    def parquet(self) -> int:
        return len(self.http.get(f"/v1/jobs/{self.job}/metrics.parquet").raise_for_status().content)

    def buckets(self) -> int:
        # Widths are powers of two: asked for up to twice as many, it gives a thousand or more.
        return len(self.read(max_points=2 * BUCKETS).json()["series"][0]["value"])

    def bytes_on_disk(self) -> int:
        return checkpointed_bytes(self.file)


class MlFlow:
    """MLflow's server over SQLite, and the requests that its client makes."""

    def __init__(self, python: Path, home: Path, stack: ExitStack) -> None:
        port = pick_port("127.0.0.1", 0)
        self.file = home / "mlflow.db"
        command = [python, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
        stores = ["--backend-store-uri", f"sqlite:///{self.file}", "--default-artifact-root", home / "artifacts"]
        log = stack.enter_context((home / "mlflow.log").open("w"))
        server = subprocess.Popen([*command, *stores], cwd=home, stdout=log, stderr=log)
        stack.callback(server.wait)
        stack.callback(server.terminate)
        url = f"http://127.0.0.1:{port}"
        self.http = stack.enter_context(httpx.Client(base_url=url, trust_env=False, timeout=600))
        wait_for(self.http, "/health")

    def begin(self) -> None:
        made = self._post("runs/create", {"experiment_id": "0", "start_time": 0}).json()
        self.run = made["run"]["info"]["run_id"]

    def append(self, values: np.ndarray) -> None:
        for start in range(0, len(values), MLFLOW_BATCH):
            part = values[start : start + MLFLOW_BATCH].tolist()
            metrics = [
                {"key": KEY, "value": value, "timestamp": step, "step": step} for step, value in enumerate(part, start)
            ]
            self._post("runs/log-batch", {"run_id": self.run, "metrics": metrics})

    def whole(self) -> int:
        found, token = 0, None
        while token != "":
            page = {"page_token": token} if token else {}
            asked = {"run_id": self.run, "metric_key": KEY, "max_results": 25_000, **page}
            answer = self.http.get("/api/2.0/mlflow/metrics/get-history", params=asked).raise_for_status().json()
            found, token = found + len(answer["metrics"]), answer.get("next_page_token", "")
        return found

    def buckets(self) -> int:
        asked = {"run_ids": self.run, "metric_key": KEY, "max_results": BUCKETS}
        path = "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval"
        return len(self.http.get(path, params=asked).raise_for_status().json()["metrics"])

    def bytes_on_disk(self) -> int:
        return checkpointed_bytes(self.file)

    def _post(self, path: str, body: object) -> httpx.Response:
        return self.http.post(f"/api/2.0/mlflow/{path}", json=body).raise_for_status()


class Rows:
    """A row a point, without a server."""

    def __init__(self, home: Path, stack: ExitStack) -> None:
        self.file = home / "rows.db"
        self.connection = sqlite3.connect(self.file, isolation_level=None)
        stack.callback(self.connection.close)
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            self.connection.execute(f"PRAGMA {pragma}")
        columns = "job TEXT, series TEXT, step INTEGER, value REAL, PRIMARY KEY (job, series, step)"
        self.connection.execute(f"CREATE TABLE points ({columns}) WITHOUT ROWID")
        self.jobs = itertools.count()

    def begin(self) -> None:
        self.job = f"job_{next(self.jobs):032}"

    def append(self, values: np.ndarray) -> None:
        for start in range(0, len(values), REPORT_POINTS):
            part = enumerate(values[start : start + REPORT_POINTS].tolist(), start)
            with transaction(self.connection):
                rows = ((self.job, KEY, step, value) for step, value in part)
                self.connection.executemany("INSERT INTO points VALUES (?, ?, ?, ?)", rows)

    def whole(self) -> int:
        query = "SELECT step, value FROM points WHERE job = ? AND series = ? ORDER BY step"
        return len(self.connection.execute(query, (self.job, KEY)).fetchall())

    def buckets(self) -> int:
        query = (
            "SELECT max(step), min(value), max(value), avg(value) FROM points WHERE job = ? AND series = ? "
            "GROUP BY step * ? / (SELECT max(step) + 1 FROM points WHERE job = ? AND series = ?)"
        )
        return len(self.connection.execute(query, (self.job, KEY, BUCKETS, self.job, KEY)).fetchall())

    def bytes_on_disk(self) -> int:
        return checkpointed_bytes(self.file)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.execute("COMMIT")


def checkpointed_bytes(file: Path) -> int:
    """The size of a database once its log is empty."""
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return file.stat().st_size


def wait_for(http: httpx.Client, path: str) -> None:
    for _ in range(1200):
        try:
            if http.get(path).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise TimeoutError(path)


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


Side = Anneal | MlFlow | Rows
Taken = dict[str, dict[str, list[float]]]
"""Seconds by measurement, side and turn."""


def compare(sides: dict[str, Side], points: int, turns: int) -> tuple[Taken, dict[str, float]]:
    """Seconds of each side, and bytes a point that its file has grown by."""
    values = np.random.default_rng(0).normal(size=points).astype(np.float32).astype(np.float64)
    taken: Taken = {what: {name: [] for name in sides} for what in ("store", "whole", "buckets")}
    before = {name: side.bytes_on_disk() for name, side in sides.items()}
    for _ in range(turns):
        for name, side in random.sample(list(sides.items()), len(sides)):
            side.begin()
            taken["store"][name].append(seconds(lambda side=side: side.append(values)))
        for what, name in random.sample(list(itertools.product(("whole", "buckets"), sides)), 2 * len(sides)):
            read = getattr(sides[name], what)
            assert read() >= (points if what == "whole" else 0.9 * BUCKETS), (what, name)
            taken[what][name].append(seconds(read))
    grown = {name: side.bytes_on_disk() - before[name] for name, side in sides.items()}
    return taken, {name: size / (turns * points) for name, size in grown.items()}


def report(taken: Taken, size: dict[str, float], points: int) -> None:
    names = list(size)
    print(f"| {points:,} points | {' | '.join(names)} | {' | '.join(f'{name} / Anneal' for name in names[1:])} |")
    print(f"| --- {'| --- ' * (2 * len(names) - 1)}|")
    for what, sides in taken.items():
        medians = [f"{statistics.median(sides[name]) * 1000:.1f} ms" for name in names]
        ratios = [ratio(sides[name], sides[names[0]]) for name in names[1:]]
        print(f"| {what} | {' | '.join(medians + ratios)} |")
    medians = [f"{size[name]:.1f}" for name in names]
    print(f"| bytes a point | {' | '.join(medians + [f'{size[name] / size[names[0]]:.1f}' for name in names[1:]])} |")


def ratio(one: list[float], other: list[float]) -> str:
    """Median and extremes of the turns' ratios."""
    ratios = sorted(a / b for a, b in zip(one, other, strict=True))
    return f"{statistics.median(ratios):.0f} ({ratios[0]:.0f}-{ratios[-1]:.0f})"


def zooms(anneal: Anneal, points: int, repeats: int) -> None:
    """A thousand buckets of a long curve, wherever one looks, and beside it the smallest answer of the gateway."""
    anneal.begin()
    anneal.append(np.random.default_rng(0).normal(size=points))
    print(f"\n| {BUCKETS:,} buckets of | p50 | p95 | `/healthz`, p50 |\n| --- | --- | --- | --- |")
    for wide in (points, points // 2, points // 8, points // 64, 4 * BUCKETS):
        answers, others = [], []
        for _ in range(repeats):
            start = random.randrange(points - wide + 1)
            asked = {"from_step": start, "to_step": start + wide - 1, "max_points": BUCKETS}
            answers.append(seconds(lambda asked=asked: anneal.read(**asked)) * 1000)
            others.append(seconds(lambda: anneal.http.get("/healthz")) * 1000)
        p95 = statistics.quantiles(answers, n=20)[-1]
        print(
            f"| {wide:,} of {points:,} steps | {statistics.median(answers):.1f} ms | {p95:.1f} ms "
            f"| {statistics.median(others):.1f} ms |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mlflow", type=Path, help="the python of an environment that has MLflow")
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--long", type=int, default=1_000_000, help="points of the curve that is zoomed into")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=50)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        home = Path(folder)
        anneal = Anneal(home, stack)
        sides: dict[str, Side] = {"Anneal": anneal, "rows of SQLite": Rows(home, stack)}
        if asked.mlflow:
            sides["MLflow"] = MlFlow(asked.mlflow, home, stack)
        else:
            print("MLflow is left out: install it in an environment of its own and say --mlflow ENV/bin/python\n")
        report(*compare(sides, asked.points, asked.turns), asked.points)
        anneal.parquet()  # the first one waits for its library
        rates = asked.points / statistics.median(seconds(anneal.parquet) for _ in range(asked.turns))
        print(f"\nParquet of the whole curve: {rates / 1e6:.1f} million points a second over HTTP")
        zooms(anneal, asked.long, asked.repeats)


if __name__ == "__main__":
    main()
