"""The child processes of a worker: forked from one that has torch imported, and gone when their parent is."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import resource
import signal
import threading
from contextlib import suppress
from functools import cache
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path

import structlog

from storage.parents import die_with_parent
from worker.output import Output

log = structlog.get_logger()

_CONTEXT = multiprocessing.get_context("forkserver")
_REST_SECONDS = 10.0
_LAST_OUTPUT_SECONDS = 1.0
_PAUSE_SECONDS = 0.1
"""How long after a child was taken the next one is forked: first the one that was taken shall have the processor."""


def warm_up() -> None:
    """Start the process that children are forked from; it imports torch while the worker goes on."""
    # OpenBLAS starts its threads when it is loaded; a fork must not carry any.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _CONTEXT.set_forkserver_preload(["worker.warm"])
    forkserver.ensure_running()


def cool_down() -> None:
    """End the process that children are forked from, and what it has forked: it may still import torch for nobody."""
    pid = forkserver._forkserver._forkserver_pid  # noqa: SLF001  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@cache
def wait_until_warm() -> None:
    """Return once children are forked at once: what is claimed for one would else run out while torch is imported."""
    Child("worker.process:rest").end(_REST_SECONDS)


def rest(_line: Connection) -> None:
    """Do nothing."""


class Child:
    """A process that is ready to run a function, and the line to it.

    Args:
        work: `module:function`, a text so that naming it does not import torch here; the warm process has the module.
            The function gets its end of the line, on which it is told what to do.
    """

    def __init__(self, work: str) -> None:
        self.line, theirs = _CONTEXT.Pipe()
        printed, printing = _CONTEXT.Pipe(duplex=False)
        self._process = _CONTEXT.Process(target=_run, args=(work, theirs, printing), daemon=False)
        self._process.start()  # the first one waits here until the warm process has imported torch
        theirs.close()
        printing.close()
        self._output = Output(printed)

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.is_alive()

    @property
    def memory_bytes(self) -> int:
        """Memory of its own, files that it has mapped left out; 0 on systems that do not tell as Linux does."""
        try:
            _, resident, shared, *_ = Path(f"/proc/{self._process.pid}/statm").read_text().split()
        except OSError:
            return 0
        return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")

    def end(self, patience_seconds: float) -> int:
        """Wait for its end; then kill it and all that it started. Returns its exit code."""
        self._process.join(patience_seconds)
        if self._process.is_alive():
            self.kill()
        self._process.join()
        self._output.end(_LAST_OUTPUT_SECONDS)
        self.line.close()
        return self._process.exitcode or 0

    def kill(self) -> None:
        """Kill it and all that it started, now; one that has ended is left alone, its number may be another's."""
        if self._process.pid is None or not self.alive:
            return
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            self._process.kill()  # so young that it has no session of its own yet


class Spares:
    """Children that stand ready, so that a job waits for no fork, and none is claimed before a child can train it.

    Args:
        work: what they do.
    """

    def __init__(self, work: str) -> None:
        self._work = work
        self._idle: list[Child] = []
        self._lock = threading.Lock()
        self._taken, self._ended = threading.Event(), threading.Event()

    def keep_ready(self, count: int) -> None:
        """See to it, from a thread of its own, that so many stand ready before long."""
        threading.Thread(target=self._refill, args=[count], name="spares", daemon=True).start()

    def take(self) -> Child:
        """A child that is ready; the taker sees to its end or gives it back unused."""
        try:
            with self._lock:
                while self._idle:
                    child = self._idle.pop()
                    if child.alive:
                        return child
                    child.end(0)
            return Child(self._work)
        finally:
            self._taken.set()

    def give_back(self, child: Child) -> None:
        """Keep a child that was not used; once all were ended, end it too, as a worker waits for all its children."""
        with self._lock:
            if not self._ended.is_set():
                self._idle.append(child)
                return
        child.kill()
        child.end(0)

    def end(self) -> None:
        """End all that are idle."""
        self._ended.set()
        self._taken.set()
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                child.kill()
                child.end(0)

    def _refill(self, count: int) -> None:
        while not self._ended.is_set():
            try:
                while len(self._idle) < count and not self._ended.is_set():
                    self.give_back(Child(self._work))
            except (OSError, EOFError) as error:
                # The process that they are forked from was killed; the next one that is needed starts another.
                log.warning("no_spare", error=str(error))
            self._taken.wait()
            self._taken.clear()
            self._ended.wait(_PAUSE_SECONDS)


def limit_memory(most_bytes: int | None) -> None:
    """Let allocations beyond a limit fail in this process instead of taking the machine down."""
    if most_bytes is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (most_bytes, most_bytes))


def _run(work: str, line: Connection, printing: Connection) -> None:
    _die_with_worker()
    os.setsid()
    for descriptor in (1, 2):
        os.dup2(printing.fileno(), descriptor)
    printing.close()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    module, _, function = work.partition(":")
    try:
        getattr(importlib.import_module(module), function)(line)
    except (BrokenPipeError, EOFError):
        # The supervisor is gone: nobody would hear us.
        os._exit(1)


def _die_with_worker() -> None:
    """Have the kernel kill this process when the one it was forked from ends, which ends when the worker does.

    The standard library hands every child a copy of the descriptor by whose closing the warm process learns that its
    owner is gone; while a child keeps it, nobody learns anything. Where the kernel cannot be asked (macOS) a broken
    line ends the process at its next word.
    """
    os.close(forkserver._forkserver._forkserver_alive_fd)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
    die_with_parent()
