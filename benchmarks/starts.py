"""How soon a job starts: from its submit to its first point readable over HTTP, embedded and with a warm worker.

Beside it, in turn, what is there without Anneal: a task that plain Celery takes through the same broker, what the same
client pays for the smallest answer of the same gateway, and how long a trainer takes from the wish for it until it
answers, by a fork of a warm process and by a new one that imports torch.

    python benchmarks/starts.py [--repeats 30]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path

import httpx

from benchmarks.plain_celery import celery_worker
from embedded.supervisor import Supervisor
from storage.settings import Settings
from worker.process import Child, wait_until_warm, warm_up

SPEC = {"dataset": {"name": "digits"}, "training": {"epochs": 5}}
IMPORTS = "import torch, sklearn.datasets"


def first_point(http: httpx.Client) -> tuple[float, float]:
    """Seconds until the submit is answered, and until the first point can be read."""
    start = time.perf_counter()
    job = http.post("/v1/jobs", json=SPEC).json()["id"]
    answered = time.perf_counter() - start
    while not http.get(f"/v1/jobs/{job}/metrics", params={"keys": "train/loss"}).json()["series"]:
        time.sleep(0.002)
    readable = time.perf_counter() - start
    while not http.get(f"/v1/jobs/{job}").json()["terminal"]:
        time.sleep(0.02)
    return answered, readable


def smallest_answer(http: httpx.Client) -> None:
    """Ask for /healthz."""
    http.get("/healthz")


def forked_trainer() -> None:
    """Have a child that answers."""
    child = Child("benchmarks.starts:answer")
    child.line.recv()
    child.end(5)


def new_trainer() -> None:
    """Have an interpreter with torch in it."""
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)


def answer(line: Connection) -> None:
    """What a forked child does."""
    line.send("here")


def seconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def row(name: str, values: list[float]) -> str:
    """A line of the table."""
    p95 = statistics.quantiles(values, n=20)[-1]
    return f"| {name} | {1e3 * statistics.median(values):.1f} | {1e3 * p95:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=30)
    repeats = parser.parse_args().repeats
    warm_up()
    wait_until_warm()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = Settings(home=home, port=0, workers=1)
        anneal = stack.enter_context(Supervisor(settings))
        anneal.start()
        app = stack.enter_context(celery_worker(settings.broker, 1))
        http = stack.enter_context(httpx.Client(base_url=anneal.url, timeout=60, trust_env=False))
        ways: dict[str, Callable[[], object]] = {
            "task of plain Celery answered": lambda: app.send_task("plain.nothing").get(),
            "smallest answer (/healthz)": lambda: smallest_answer(http),
            "trainer that answers, forked": forked_trainer,
            "interpreter with torch, new": new_trainer,
        }
        first_point(http)
        times: dict[str, list[float]] = {"submit answered": [], "first point readable": []} | {n: [] for n in ways}
        for _ in range(repeats):
            for name, value in zip(("submit answered", "first point readable"), first_point(http), strict=True):
                times[name].append(value)
            for name, way in ways.items():
                times[name].append(seconds(way))
    print("| milliseconds | median | p95 |\n| --- | --- | --- |")
    for name, values in times.items():
        print(row(name, values))


if __name__ == "__main__":
    main()
