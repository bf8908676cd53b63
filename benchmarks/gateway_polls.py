"""How many polls that change nothing a gateway answers, against what its server can answer at all.

The peer is an ASGI application of three lines that says `ok`, served by uvicorn with the gateway's own settings. Both
get the same load, in turns. With `--training` two workers train meanwhile, on the same cores.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx

from benchmarks.http_load import Load, Request, load, request
from benchmarks.one_gateway import gateway
from benchmarks.stored_jobs import fill
from embedded.supervisor import Supervisor, pick_port
from storage.settings import Settings

PLAIN = """
import uvicorn
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
uvicorn.run(app, port=PORT, log_config=None, access_log=False, ws="none", server_header=False, lifespan="off")
"""
LONG = {"dataset": {"name": "digits"}, "training": {"epochs": 100_000}}


@contextlib.contextmanager
def plain_server() -> Iterator[int]:
    """The port of uvicorn's own answer."""
    port = pick_port("127.0.0.1", 0)
    server = subprocess.Popen([sys.executable, "-c", PLAIN.replace("PORT", str(port))])
    try:
        while True:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{port}", trust_env=False)
                break
            time.sleep(0.05)
        yield port
    finally:
        server.terminate()
        server.wait()


def polls(port: int, jobs: Sequence[str]) -> list[Request]:
    """Polls of jobs that have ended, each with the ETag of what its customer has."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as http:
        tags = {job: http.get(f"/v1/jobs/{job}").headers["etag"] for job in jobs}
    return [request("GET", f"/v1/jobs/{job}", {"If-None-Match": tag}) for job, tag in tags.items()]


def row(name: str, ours: list[Load], plain: list[Load]) -> str:
    """A line of the table: medians over the rounds."""
    ratio = [one.rate / other.rate for one, other in zip(ours, plain, strict=True)]
    tails = [statistics.median(one.milliseconds(percent) for one in ours) for percent in (50, 99)]
    rates = [statistics.median(one.rate for one in loads) for loads in (ours, plain)]
    quartiles = statistics.quantiles(ratio, n=4)
    return (
        f"| {name} | {rates[0]:,.0f} | {rates[1]:,.0f} | {quartiles[1]:.2f} ({quartiles[0]:.2f}-{quartiles[2]:.2f}) "
        f"| {tails[0]:.1f} | {tails[1]:.1f} |"
    )


def rounds(
    anneal: int, plain: int, requests: list[Request], given: argparse.Namespace
) -> tuple[list[Load], list[Load]]:
    """Loads of both, in turns."""
    found: tuple[list[Load], list[Load]] = ([], [])
    for _ in range(given.rounds):
        for loads, port in zip(found, (anneal, plain), strict=True):
            loads.append(load(port, requests, connections=given.connections, seconds=given.seconds))
        assert set(found[0][-1].statuses) == {304}, found[0][-1].statuses
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--training", action="store_true", help="let two workers train meanwhile")
    given = parser.parse_args()
    print("| jobs polled | 304 a second | plain text a second | ratio (quartiles) | p50, ms | p99, ms |")
    print("| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as home, plain_server() as plain:
        ended = fill(Path(home), 1000, ended=1000)
        with gateway(Path(home)) as (port, _):
            for count in (1, 1000):
                asked = polls(port, ended[:count])
                load(port, asked, connections=given.connections, seconds=0.5)
                print(row(f"{count:,}", *rounds(port, plain, asked, given)), flush=True)
        if given.training:
            with training(Path(home)) as port:
                asked = polls(port, ended)
                print(row("1,000, while two train", *rounds(port, plain, asked, given)), flush=True)


@contextlib.contextmanager
def training(home: Path) -> Iterator[int]:
    """The port of a gateway beside which two jobs are trained."""
    with Supervisor(Settings(home=home, port=0, workers=2)) as anneal:
        anneal.start()
        with httpx.Client(base_url=anneal.url, timeout=60, trust_env=False) as http:
            made = [http.post("/v1/jobs", json=LONG).json()["id"] for _ in range(2)]
            while any(http.get(f"/v1/jobs/{job}").json()["progress"]["step"] == 0 for job in made):
                time.sleep(0.2)
        yield anneal.settings.port


if __name__ == "__main__":
    main()
