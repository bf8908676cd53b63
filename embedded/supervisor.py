"""The supervisor: runs broker, gateway and worker, and ends them."""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Self

from embedded.broker import answers, make_broker
from embedded.children import Child
from embedded.errors import CannotStart, KeepsDying
from embedded.folder import HeldFolder
from storage.settings import Settings

READY_SECONDS = 60.0
"""How long a start may take; a cold disk takes many seconds to read torch."""
GATEWAY_STOP_SECONDS = 5.0
BROKER_STOP_SECONDS = 5.0
KILL_MARGIN_SECONDS = 5.0
"""What a worker is given beyond its own limit for draining."""

_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - recognised, not bound
_POLL_SECONDS = 0.2
_READY_POLL_SECONDS = 0.02


class Supervisor:
    """Anneal on one machine. Use it as a context manager, from the main thread; leaving it ends every process.

        with Supervisor(settings) as anneal:
            anneal.start()
            print(anneal.url)
            status = anneal.wait()

    A SIGTERM or a closed terminal is taken as a Ctrl-C.

    Attributes:
        settings: as given, with the port that was picked where 0 was asked for.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._folder = HeldFolder(settings.folder)
        self._children: dict[str, Child] = {}  # in the order of their start
        self._taken: list[signal.Signals] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where the gateway serves this machine."""
        host = _ANY_ADDRESS.get(self.settings.host, self.settings.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.settings.port}"

    def start(self) -> None:
        """Start everything; returns when the gateway answers and the worker takes jobs.

        Raises:
            CannotStart: with a sentence that says what is in the way; what was started is ended by `stop`.
        """
        self._take_signals()
        self._folder.hold()
        port = pick_port(self.settings.host, self.settings.port)
        self.settings = self.settings.model_copy(update={"port": port})
        self._folder.sign(self.url)
        if self.settings.broker_url is None:
            self._start_broker()
        for name in ("gateway", "worker"):
            self._start(make_child(name, self.settings, self._folder.logs))
        # Both wait for the schema by themselves; imported only now, so that they need not wait for this too.
        from embedded.database import Database, migrate, worker_is_online  # noqa: PLC0415

        with closing(Database(self.settings.database)) as database:
            migrate(database)
            pid = self._children["worker"].pid
            self._wait_for("gateway", lambda: gateway_is_ready(self.settings))
            self._wait_for("worker", lambda: worker_is_online(database, pid))

    def wait(self) -> int:
        """Start again what ends or stays stopped, until a signal comes or a process keeps dying.

        Returns:
            The exit code: 0 after a signal, 1 after a process was given up, which stderr then says.
        """
        try:
            while True:
                time.sleep(_POLL_SECONDS)
                for child in self._children.values():
                    child.end_if_stopped(self.settings.lease_seconds)
                    child.revive()
        except KeyboardInterrupt:
            return 0
        except (KeepsDying, CannotStart) as error:
            print(error, file=sys.stderr)
            return 1

    def stop(self) -> None:
        """End every process, the broker last.

        A second signal meanwhile kills what is left.
        """
        limits = {
            "worker": self.settings.drain_seconds + KILL_MARGIN_SECONDS,
            "gateway": GATEWAY_STOP_SECONDS,
            "broker": BROKER_STOP_SECONDS,
        }
        try:
            for name in ("worker", "gateway"):
                if name in self._children:
                    self._children[name].signal(signal.SIGTERM)
            for name, seconds in limits.items():
                if name in self._children:
                    self._children[name].stop(seconds)
        finally:
            for child in self._children.values():
                child.kill()
            self._children.clear()
            self._folder.release()
            self._give_signals_back()

    def _start(self, child: Child) -> None:
        self._children[child.name] = child
        child.start()

    def _start_broker(self) -> None:
        address = self.settings.broker_socket
        self._start(make_broker(address, self.settings.folder / "broker", self._folder.logs / "broker.log"))
        self._wait_for("broker", lambda: answers(address))

    def _wait_for(self, what: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not condition():
            for child in self._children.values():
                if child.returncode is not None:
                    raise CannotStart(child.epitaph())
            if time.monotonic() > deadline:
                raise CannotStart(f"{what} did not start within {READY_SECONDS:.0f} s; see {self._folder.logs}")
            time.sleep(_READY_POLL_SECONDS)

    def _take_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:  # under nohup a closed terminal is ignored already
                signal.signal(number, signal.default_int_handler)
                self._taken.append(number)

    def _give_signals_back(self) -> None:
        while self._taken:
            signal.signal(self._taken.pop(), signal.SIG_DFL)


def pick_port(host: str, port: int) -> int:
    """The port itself where it is free, for 0 one that is.

    Raises:
        CannotStart: when the port is taken, or this machine cannot listen there.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was just left is free
            probe.bind(address)
            return int(probe.getsockname()[1])
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CannotStart(f"port {port} of {host} is in use; choose another with --port or ANNEAL_PORT") from error
        raise CannotStart(f"cannot listen on port {port} of {host}: {error.strerror}") from error


def make_child(name: str, settings: Settings, logs: Path) -> Child:
    """Prepare, without starting it, a `gateway` or a `worker` with these settings."""
    program = [sys.executable, "-P", "-m", {"gateway": "service", "worker": "worker"}[name]]
    return Child(name, program, make_environment(settings), logs / f"{name}.log")


def make_environment(settings: Settings) -> dict[str, str]:
    """The environment of this process with exactly these settings in it."""
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith("ANNEAL_")}
    given = settings.model_dump(mode="json", exclude_none=True) | {"home": settings.folder}
    # Unbuffered, so that what a process said before it was killed is in its log.
    return (
        inherited | {f"ANNEAL_{name.upper()}": str(value) for name, value in given.items()} | {"PYTHONUNBUFFERED": "1"}
    )


def gateway_is_ready(settings: Settings) -> bool:
    """Whether the gateway answers, and reaches its database and its broker."""
    host = _ANY_ADDRESS.get(settings.host, settings.host)
    connection = HTTPConnection(host, settings.port, timeout=5)  # knows no proxy, and costs a start no import of httpx
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
