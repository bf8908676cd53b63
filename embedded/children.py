"""A process that is started, watched, started again, and never outlives its supervisor."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from embedded.errors import CannotStart, KeepsDying
from storage.parents import die_with_parent

QUICK_DEATH_SECONDS = 10.0
QUICK_DEATHS = 5
FIRST_PAUSE_SECONDS = 0.5
LARGE_LOG_BYTES = 10 << 20


class Child:
    """One process in a session of its own, so that a Ctrl-C at the terminal reaches only its supervisor.

    Args:
        name: what people call it.
        command: program and arguments.
        environment: all of its environment.
        log: the file that its output is added to; one that has grown large is set aside as `<name>.1` at first.
    """

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._log_start = 0
        self._deaths = 0
        self._restart_at: float | None = None
        self._stopped_at: float | None = None

    @property
    def pid(self) -> int:
        """Its process id, which is the id of its session too.

        Raises:
            RuntimeError: before it was started.
        """
        if self._process is None:
            raise RuntimeError(f"the {self.name} was not started")
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """How it ended, negative for a signal; None while it runs or before it was started."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start it; returns at once.

        Raises:
            CannotStart: when its program or its log cannot be opened.
        """
        try:
            if self.log.exists() and self.log.stat().st_size > LARGE_LOG_BYTES:
                self.log.replace(self.log.with_name(f"{self.log.name}.1"))
            with self.log.open("ab") as log:
                self._log_start = log.tell()
                self._process = subprocess.Popen(  # noqa: S603 - our own programs
                    self._command,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, which takes no lock
                )
        except OSError as error:
            raise CannotStart(f"cannot start the {self.name}: {error}") from error
        self._started_at = time.monotonic()
        self._restart_at = None

    def end_if_stopped(self, seconds: float) -> None:
        """Kill it where a signal has stopped it for so long: inside a transaction it keeps everybody from writing."""
        if self._process is None or self.returncode is not None or not _is_stopped(self._process.pid):
            self._stopped_at = None
        elif self._stopped_at is None:
            self._stopped_at = time.monotonic()
        elif time.monotonic() - self._stopped_at > seconds:
            self.kill()

    def revive(self) -> None:
        """Start it again where it has ended, after a pause that doubles with every quick death; returns at once.

        Raises:
            KeepsDying: when it has ended quickly too often.
        """
        if self.returncode is None:
            return
        if self._restart_at is None:
            self.kill()
            quick = time.monotonic() - self._started_at < QUICK_DEATH_SECONDS
            self._deaths = self._deaths + 1 if quick else 1
            if self._deaths >= QUICK_DEATHS:
                raise KeepsDying(f"{self.epitaph()}\nIt was started {QUICK_DEATHS} times; giving up.")
            self._restart_at = time.monotonic() + FIRST_PAUSE_SECONDS * 2 ** (self._deaths - 1)
        elif time.monotonic() >= self._restart_at:
            self.start()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; one that has ended gets none."""
        if self._process is not None:
            self._process.send_signal(number)

    def stop(self, seconds: float) -> None:
        """Ask it to end, wait that long, then kill what is left of its session."""
        if self._process is None:
            return
        try:
            self._process.terminate()
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self.kill()

    def kill(self) -> None:
        """Kill all of its session and wait until it has ended."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def tail(self, lines: int = 20) -> str:
        """The last lines that it wrote since it was started."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(max(self._log_start, log.seek(0, os.SEEK_END) - (16 << 10)))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])

    def epitaph(self) -> str:
        """How it ended and the end of its log, for people."""
        said = self.tail()
        return f"the {self.name} ended with code {self.returncode}" + (f"; {self.log} ends:\n{said}" if said else "")


def _is_stopped(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None
