"""How many jobs a gateway takes a second, beside how many runs MLflow's server makes.

Both store on SQLite and are asked by the same load over connections that stay open, in turns; each has one server
process. A job is validated, planned and queued, and has an idempotency key of its own; a run is created with as many
tags and nothing else. No worker takes the jobs meanwhile.

    python -m venv peers && peers/bin/pip install mlflow
    python benchmarks/gateway_creates.py --mlflow peers/bin/python [--rounds 7] [--connections 8]
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path

import httpx

from benchmarks.http_load import Load, Request, load, request
from benchmarks.one_gateway import gateway
from embedded.supervisor import pick_port

JSON = {"Content-Type": "application/json"}
SPEC = {
    "name": "a run",
    "tags": {"course": "lecture-3"},
    "dataset": {"name": "digits"},
    "model": {"name": "mlp", "hidden": [128, 128]},
    "optimizer": {"name": "adam", "lr": 0.003},
}
RUN = {
    "experiment_id": "0",
    "start_time": 0,
    "run_name": "a run",
    "tags": [{"key": "course", "value": "lecture-3"}],
}
MOST = 20_000
"""Requests that are made ready for a round; no server here answers as many."""

_keys = itertools.count()


def jobs() -> list[Request]:
    """Submits, each with a key that none had before."""
    body = json.dumps(SPEC).encode()
    return [request("POST", "/v1/jobs", JSON | {"Idempotency-Key": f"key-{next(_keys)}"}, body) for _ in range(MOST)]


def runs() -> list[Request]:
    """The request that MLflow's client makes to begin a run."""
    return [request("POST", "/api/2.0/mlflow/runs/create", JSON, json.dumps(RUN).encode())]


@contextlib.contextmanager
def mlflow(python: Path, home: Path) -> Generator[int]:
    """The port of MLflow's server."""
    port = pick_port("127.0.0.1", 0)
    command = [python, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    stores = ["--backend-store-uri", f"sqlite:///{home / 'mlflow.db'}", "--default-artifact-root", home / "artifacts"]
    with (home / "mlflow.log").open("w") as log:
        server = subprocess.Popen([*command, *stores], cwd=home, stdout=log, stderr=log)
        try:
            until = time.monotonic() + 120
            while not _answers(f"http://127.0.0.1:{port}/health"):
                if server.poll() is not None or time.monotonic() > until:
                    raise SystemExit((home / "mlflow.log").read_text()[-2000:])
                time.sleep(0.2)
            yield port
        finally:
            server.terminate()
            server.wait()


def row(name: str, loads: list[Load], ours: list[Load]) -> str:
    """A line of the table: medians over the rounds."""
    ratios = [mine.rate / one.rate for mine, one in zip(ours, loads, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    rate = statistics.median(one.rate for one in loads)
    median, tail = (statistics.median(one.milliseconds(percent) for one in loads) for percent in (50, 95))
    return f"| {name} | {rate:,.0f} | {median:.1f} | {tail:.1f} | {middle:.1f} ({low:.1f}-{high:.1f}) |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mlflow", type=Path, help="the python of an environment that has MLflow")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, default=8)
    given = parser.parse_args()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sides: dict[str, tuple[int, Callable[[], list[Request]]]] = {
            "Anneal, jobs": (stack.enter_context(gateway(home))[0], jobs)
        }
        if given.mlflow:
            sides["MLflow, runs"] = (stack.enter_context(mlflow(given.mlflow, home)), runs)
        else:
            print("MLflow is left out: install it in an environment of its own and say --mlflow ENV/bin/python\n")
        found: dict[str, list[Load]] = {name: [] for name in sides}
        for turn in range(given.rounds + 1):
            for name, (port, make) in sides.items():
                done = load(port, make(), connections=given.connections, seconds=given.seconds if turn else 0.5)
                assert set(done.statuses) <= {200, 202}, (name, done.statuses)
                found[name] += [done] if turn else []
    print("| made | a second | p50, ms | p95, ms | Anneal is so many times as fast (quartiles) |")
    print("| --- | --- | --- | --- | --- |")
    for name, loads in found.items():
        print(row(name, loads, found["Anneal, jobs"]))


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False


if __name__ == "__main__":
    main()
