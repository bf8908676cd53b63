"""A prediction of one row over HTTP, on the embedded default: its model loaded before, and asked for the first time.

Beside it, in the same run, what the same client pays for the smallest answer of the same gateway.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from sklearn.datasets import load_wine

from embedded.supervisor import Supervisor
from storage.settings import Settings

SPEC = {"dataset": {"name": "wine"}, "training": {"epochs": 2}}
WINE = load_wine()
ROW = {"rows": [dict(zip(WINE.feature_names, WINE.data[0].tolist(), strict=True))]}


def trained(http: httpx.Client) -> str:
    """The id of a job that has a model."""
    job = http.post("/v1/jobs", json=SPEC).json()
    while not job["terminal"]:
        job = http.get(f"/v1/jobs/{job['id']}", headers={"Prefer": "wait=30"}).json()
    return job["id"]


def seconds(ask: Callable[[], httpx.Response]) -> float:
    start = time.perf_counter()
    ask().raise_for_status()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=100)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as home, Supervisor(Settings(home=Path(home), port=0, workers=1)) as anneal:
        anneal.start()
        with httpx.Client(base_url=anneal.url, timeout=60, trust_env=False) as http:
            jobs = [trained(http) for _ in range(6)]
            http.post(f"/v1/jobs/{jobs[0]}/predict", json=ROW).raise_for_status()  # starts the process that answers
            predict = lambda job: seconds(lambda: http.post(f"/v1/jobs/{job}/predict", json=ROW))  # noqa: E731
            measured = {
                "prediction": [predict(jobs[0]) for _ in range(repeats)],
                "first of its model": [predict(job) for job in jobs[1:]],
                "smallest answer (/healthz)": [seconds(lambda: http.get("/healthz")) for _ in range(repeats)],
            }
    print(f"{'milliseconds':34} {'median':>8} {'p95':>8}")
    for name, values in measured.items():
        p95 = statistics.quantiles(values, n=20, method="inclusive")[-1]
        print(f"{name:34} {1e3 * statistics.median(values):8.1f} {1e3 * p95:8.1f}")


if __name__ == "__main__":
    main()
