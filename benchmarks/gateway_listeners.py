"""How late 500 listeners of one job hear of a change, and what memory they cost the gateway.

That a change is read once for all of them is a test, tests/service/test_events.py.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from sqlalchemy import create_engine, text

from benchmarks.gateway_start import resident_megabytes
from benchmarks.one_gateway import gateway
from benchmarks.stored_jobs import fill
from storage.settings import Settings


async def listen(port: int, job: str, heard: asyncio.Queue[float], ready: asyncio.Semaphore) -> None:
    """Say when each change was heard."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"GET /v1/jobs/{job}/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"
    writer.write(head.encode())
    first = True
    while line := await reader.readline():
        if line == b"event: progress\n":
            ready.release() if first else heard.put_nowait(time.perf_counter())
            first = False


async def measure(port: int, job: str, url: str, listeners: int, changes: int) -> list[list[float]]:
    """Seconds from each change to each listener that heard it."""
    heard: asyncio.Queue[float] = asyncio.Queue()
    ready = asyncio.Semaphore(0)
    tasks = [asyncio.create_task(listen(port, job, heard, ready)) for _ in range(listeners)]
    for _ in tasks:
        await ready.acquire()
    delays = []
    engine = create_engine(url, connect_args={"timeout": 10})
    for _ in range(changes):
        with engine.begin() as connection:
            connection.execute(text("UPDATE jobs SET version = version + 1 WHERE id = :job"), {"job": job})
        began = time.perf_counter()
        delays.append([await heard.get() - began for _ in tasks])
        await asyncio.sleep(0.2)
    for task in tasks:
        task.cancel()
    return delays


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=20)
    changes = parser.parse_args().changes
    print("| listeners | first hears after, ms | last hears after, ms | gateway, MB |\n| --- | --- | --- | --- |")
    for listeners in (1, 100, 500):
        with tempfile.TemporaryDirectory() as home:
            (job,) = fill(Path(home), 1, ended=0)
            with gateway(Path(home)) as (port, pid):
                delays = asyncio.run(measure(port, job, Settings(home=Path(home)).database, listeners, changes))
                first, last = (1e3 * statistics.median(map(pick, delays)) for pick in (min, max))
                print(f"| {listeners} | {first:.0f} | {last:.0f} | {resident_megabytes(pid):.0f} |", flush=True)


if __name__ == "__main__":
    main()
