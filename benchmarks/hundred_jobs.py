"""A hundred small trainings of 200 steps, submitted one by one over HTTP, until all have ended.

Beside it, in turn, the same trainings without Anneal, and without curves, checkpoints or models: as tasks of plain
Celery with two processes on the same broker, in a pool of two processes, and, where a Python with Ray is given, by Ray
Tune.

    python benchmarks/hundred_jobs.py [--jobs 100] [--rounds 3] [--ray /path/to/python]

`--ray` is a Python of an environment of its own with `pip install "ray[tune]" torch scikit-learn`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx

from benchmarks.plain_celery import celery_worker
from benchmarks.plain_training import BATCH, HIDDEN, train
from embedded.supervisor import Supervisor
from storage.settings import Settings

STEPS = 200
PROCESSES = 2
SPEC = {
    "dataset": {"name": "digits"},
    "split": {"validation": 0.2},
    "model": {"name": "mlp", "hidden": HIDDEN},
    "optimizer": {"name": "adam"},
}
RAY = f"""
import logging, time, ray
from ray import tune
from benchmarks.plain_training import train
ray.init(num_cpus={PROCESSES}, logging_level=logging.ERROR, log_to_driver=False, include_dashboard=False)
def trial(config): return {{"loss": train(config["seed"], {STEPS})[-1]}}
def run(jobs):
    tune.Tuner(trial, param_space={{"seed": tune.grid_search(list(range(jobs)))}},
        run_config=tune.RunConfig(verbose=0)).fit()
run({PROCESSES})
for line in iter(input, ""):
    start = time.perf_counter(); run(int(line)); print("took", time.perf_counter() - start, flush=True)
"""


def anneal(http: httpx.Client, jobs: int) -> None:
    """Submit all, and wait until none is left that has not ended."""
    for seed in range(jobs):
        training = {"batch_size": BATCH, "epochs": 5, "evaluate_every_epochs": 5, "seed": seed}
        submitted = http.post("/v1/jobs", json=SPEC | {"training": training}).raise_for_status().json()
        if submitted["progress"]["total_steps"] != STEPS:
            raise RuntimeError(f"a job has {submitted['progress']['total_steps']} steps")
    while http.get("/v1/jobs", params={"state": ["queued", "running"], "limit": 1}).json()["data"]:
        time.sleep(0.02)


class RayTune:
    """A Ray that stays up between the rounds, in a Python that has it."""

    def __init__(self, python: Path) -> None:
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
        self._process = subprocess.Popen(
            [python, "-c", RAY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def run(self, jobs: int) -> None:
        """Train so many, and wait for all."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("Ray has no pipes")
        self._process.stdin.write(f"{jobs}\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("took"):
                return
        raise RuntimeError("Ray has ended")

    def end(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()


def seconds(work: Callable[[int], object], jobs: int) -> float:
    """How long so many jobs take."""
    start = time.perf_counter()
    work(jobs)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ray", type=Path, help="a Python that has Ray Tune, torch and scikit-learn")
    asked = parser.parse_args()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = Settings(home=home, port=0, workers=PROCESSES, threads=1)
        server = stack.enter_context(Supervisor(settings))
        server.start()
        http = stack.enter_context(httpx.Client(base_url=server.url, timeout=60, trust_env=False))
        app = stack.enter_context(celery_worker(settings.broker, PROCESSES))
        pool = stack.enter_context(ProcessPoolExecutor(PROCESSES))
        ways: dict[str, Callable[[int], object]] = {
            "Anneal": lambda jobs: anneal(http, jobs),
            "plain Celery": lambda jobs: [
                task.get() for task in [app.send_task("plain.train", (seed, STEPS)) for seed in range(jobs)]
            ],
            "pool of processes": lambda jobs: list(pool.map(train, range(jobs), [STEPS] * jobs)),
        }
        if asked.ray:
            ray = RayTune(asked.ray)
            stack.callback(ray.end)
            ways["Ray Tune"] = ray.run
        for way in ways.values():
            way(2 * PROCESSES)  # all that starts has started
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(asked.rounds):
            for name, way in ways.items():
                times[name].append(seconds(way, asked.jobs))
    print(f"| {asked.jobs} jobs of {STEPS} steps | seconds, median | ratio to Anneal (median of the rounds) |")
    print("| --- | --- | --- |")
    for name, values in times.items():
        ratio = statistics.median(value / ours for value, ours in zip(values, times["Anneal"], strict=True))
        print(f"| {name} | {statistics.median(values):.2f} | {ratio:.2f} |")
    if not asked.ray:
        print("\nRay Tune was left out: give --ray a Python that has it.")


if __name__ == "__main__":
    main()
