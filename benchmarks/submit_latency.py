"""From submit to the first point readable over HTTP, on the embedded default with a warm worker.

Beside it, in the same run, what the same client pays for the smallest answer of the same gateway.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import httpx

from embedded.supervisor import Supervisor
from storage.settings import Settings

SPEC = {"dataset": {"name": "digits"}, "training": {"epochs": 5}}


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


def smallest_answer(http: httpx.Client) -> float:
    """Seconds for /healthz."""
    start = time.perf_counter()
    http.get("/healthz")
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=30)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as home, Supervisor(Settings(home=Path(home), port=0, workers=1)) as anneal:
        anneal.start()
        with httpx.Client(base_url=anneal.url, timeout=60, trust_env=False) as http:
            first_point(http)
            rows = [(*first_point(http), smallest_answer(http)) for _ in range(repeats)]
    print(f"{'milliseconds':34} {'median':>8} {'p95':>8}")
    names = ("submit answered", "first point readable", "smallest answer (/healthz)")
    for name, values in zip(names, zip(*rows, strict=True), strict=True):
        p95 = statistics.quantiles(values, n=20)[-1]
        print(f"{name:34} {1e3 * statistics.median(values):8.1f} {1e3 * p95:8.1f}")


if __name__ == "__main__":
    main()
