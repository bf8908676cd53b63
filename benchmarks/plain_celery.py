"""Celery without Anneal, as a benchmark's other side: an application with two tasks, and a worker of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from celery import Celery


def plain_celery(broker: str) -> Celery:
    """An application whose tasks do nothing, and train."""
    app = Celery("plain", broker=broker, backend=broker)
    app.conf.update(task_default_queue="plain", worker_prefetch_multiplier=1)

    @app.task(name="plain.nothing")
    def nothing() -> None:  # pyright: ignore[reportUnusedFunction]
        return None

    @app.task(name="plain.train")
    def train(seed: int, steps: int) -> list[float]:  # pyright: ignore[reportUnusedFunction]
        from benchmarks import plain_training  # noqa: PLC0415 - the process that sends needs no torch

        return plain_training.train(seed, steps)

    return app


@contextmanager
def celery_worker(broker: str, processes: int) -> Generator[Celery]:
    """A worker of it, with so many processes."""
    program = (
        "import benchmarks.plain_training; from benchmarks.plain_celery import plain_celery; "
        f"plain_celery({broker!r}).worker_main(['worker', '--concurrency={processes}', '--loglevel=error'])"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    worker = subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.DEVNULL)
    try:
        yield plain_celery(broker)
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait()
