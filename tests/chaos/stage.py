"""The servers that chaos reigns over, each a real process behind proxies, started again whenever it has ended."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
from sqlalchemy import make_url

from embedded.children import Child
from embedded.supervisor import make_child, pick_port
from storage.database import Database
from storage.migrations import upgrade
from storage.settings import Settings
from tests.chaos.proxy import Proxy
from tests.servers import Postgres, Valkey, descendants, is_alive, wait_until

WORKERS = ("worker-1", "worker-2", "worker-3")
PROCESSES = ("gateway", *WORKERS)
SERVERS = (*PROCESSES, "postgres", "valkey")
LINKS = (
    "clients-gateway",
    *(f"{process}-{server}" for process in PROCESSES for server in ("postgres", "valkey")),
)
_STOP_SECONDS = 30.0
_LOOK_SECONDS = 0.05


class Stage:
    """One gateway, three workers, PostgreSQL and Valkey, and a proxy on every way between them.

    The kernel ends a process with the thread that started it, so all of this happens on one thread.

    Args:
        folder: for everything that the processes write.
        lease_seconds: how long a worker may be silent.
        slots: how many jobs a worker trains at a time.

    Attributes:
        servers: by their names.
        links: the proxies, by whom they connect.
        database: reached directly, for those who judge.
    """

    def __init__(self, folder: Path, *, lease_seconds: float, slots: int) -> None:
        self.postgres, self.valkey = Postgres(), Valkey()
        self._database_exists = ExitStack()
        self._url = self._database_exists.enter_context(self.postgres.database())
        upgrade(self._url)
        self.database = Database(self._url)
        self.settings = Settings(
            home=folder,
            port=pick_port("127.0.0.1", 0),
            workers=slots,
            threads=1,
            lease_seconds=lease_seconds,
            drain_seconds=5,
        )
        self._direct = httpx.Client(base_url=f"http://127.0.0.1:{self.settings.port}", trust_env=False, verify=False)
        self.links = {"clients-gateway": Proxy(self.settings.port)}
        self.servers: dict[str, Child | Postgres] = {"postgres": self.postgres, "valkey": self.valkey.process}
        for name in PROCESSES:
            self.servers[name] = self._make(name)

    @property
    def url(self) -> str:
        """Where clients find the gateway."""
        return f"http://127.0.0.1:{self.links['clients-gateway'].port}"

    def start(self) -> None:
        """Start the gateway and the workers, and wait until the gateway is ready."""
        for name in PROCESSES:
            self.servers[name].start()
        wait_until(lambda: self.answers("gateway"), 120, "the gateway")

    def keep(self) -> None:
        """Start again what has ended."""
        for server in self.servers.values():
            if server.returncode is not None:
                server.kill()
                server.start()

    def answers(self, server: str) -> bool:
        """Whether one of those that others depend on does its work."""
        if server == "postgres":
            return self.postgres.answers()
        if server == "valkey":
            return self.valkey.answers()
        try:
            return self._direct.get("/healthz").is_success
        except httpx.TransportError:
            return False

    def trainers(self, worker: str) -> list[int]:
        """The processes of a worker that train or stand ready to."""
        return sorted(pid for pid in descendants(self.servers[worker].pid) if _leads_a_session(pid))

    def drain(self) -> list[int]:
        """Ask gateway and workers to end, and wait; the processes of theirs that are left a lease later."""
        family = {pid for name in PROCESSES for pid in descendants(self.servers[name].pid)}
        for name in PROCESSES:
            self.servers[name].signal(signal.SIGTERM)
        for name in PROCESSES:
            wait_until(lambda name=name: self.servers[name].returncode is not None, _STOP_SECONDS, f"the end of {name}")
        end = time.monotonic() + self.settings.lease_seconds
        while (left := [pid for pid in sorted(family | self._marked()) if is_alive(pid)]) and time.monotonic() < end:
            time.sleep(_LOOK_SECONDS)
        return left

    def close(self) -> None:
        """Kill everything."""
        self._direct.close()
        self.database.close()
        for name in PROCESSES:
            self.servers[name].kill()
        self.valkey.stop()
        self.postgres.stop()

    def _make(self, name: str) -> Child:
        for server, target in (("postgres", self.postgres.port), ("valkey", self.valkey.address)):
            self.links[f"{name}-{server}"] = Proxy(target)
        database = make_url(self._url).set(port=self.links[f"{name}-postgres"].port)
        urls = {
            "database_url": database.render_as_string(hide_password=False),
            "broker_url": f"redis://127.0.0.1:{self.links[f'{name}-valkey'].port}/0",
        }
        logs = self.settings.folder / "logs" / name
        logs.mkdir(parents=True)
        return make_child(name.partition("-")[0], self.settings.model_copy(update=urls), logs)

    def _marked(self) -> set[int]:
        """All processes that were started for this stage, whoever their parent is now."""
        mark = f"ANNEAL_HOME={self.settings.folder}".encode()
        return {int(path.parent.name) for path in Path("/proc").glob("[0-9]*/environ") if mark in _words(path)}


def _leads_a_session(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:
        return False


def _words(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().split(b"\0")
    except OSError:
        return []
