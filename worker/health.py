"""Whether this machine has a worker that keeps its lease, as an exit code: `python -m worker.health`."""

from __future__ import annotations

import socket
import sys

from storage.database import Database
from storage.keys import DEFAULT_PROJECT
from storage.settings import Settings
from storage.workers import list_workers


def is_healthy(database: Database, host: str) -> bool:
    """Whether a worker on this host was heard of within its lease; one that hangs falls silent."""
    return any(worker.online and worker.host == host for worker in list_workers(database, DEFAULT_PROJECT))


if __name__ == "__main__":
    sys.exit(not is_healthy(Database(Settings().database), socket.gethostname()))
