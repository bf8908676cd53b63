"""How long a gateway takes from its process to its first answer, and how much memory it then holds.

Beside it, in the same run, an interpreter that imports FastAPI and SQLAlchemy and does nothing: what is not ours.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from embedded.supervisor import make_child, pick_port
from storage.migrations import upgrade
from storage.settings import Settings

IMPORTS = "import fastapi, sqlalchemy.orm, numpy, uvicorn"


def start(settings: Settings, logs: Path) -> tuple[float, float]:
    """Seconds until /healthz answers, and megabytes after some use."""
    gateway = make_child("gateway", settings, logs)
    began = time.perf_counter()
    gateway.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{settings.port}", trust_env=False) as http:
            while not answers(http):
                time.sleep(0.005)
            seconds = time.perf_counter() - began
            for _ in range(30):
                http.get("/v1/jobs")
            http.get("/openapi.json")
        return seconds, resident_megabytes(gateway.pid)
    finally:
        gateway.stop(5)


def answers(http: httpx.Client) -> bool:
    """Whether the gateway is there."""
    try:
        return http.get("/healthz").is_success
    except httpx.TransportError:
        return False


def resident_megabytes(pid: int) -> float:
    """What a process holds in memory, on Linux."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def import_alone() -> float:
    """Seconds for an interpreter that imports the libraries."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(home=Path(home), port=pick_port("127.0.0.1", 0))
        upgrade(settings.database)
        rows = [(*start(settings, Path(home)), import_alone()) for _ in range(repeats)]
    seconds, megabytes, imports = (statistics.median(column) for column in zip(*rows, strict=True))
    print(f"gateway: first answer after {seconds:.2f} s, {megabytes:.0f} MB")
    print(f"its libraries alone: {imports:.2f} s")


if __name__ == "__main__":
    main()
