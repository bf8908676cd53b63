"""The child processes of a worker: forked from one that has torch imported, and gone when their parent is."""

from __future__ import annotations

import ctypes
import importlib
import multiprocessing
import os
import resource
import signal
import sys
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from typing import Any

_PR_SET_PDEATHSIG = 1
_CONTEXT = multiprocessing.get_context("forkserver")


def warm_up() -> None:
    """Start the process that children are forked from; it imports torch while the worker goes on."""
    # OpenBLAS starts its threads when it is loaded; a fork must not carry any.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _CONTEXT.set_forkserver_preload(["worker.trainer", "worker.reader", "training.warm"])
    forkserver.ensure_running()


class Child:
    """A process that runs a function, and the line to it.

    Args:
        work: `module:function`, a text so that naming it does not import torch here; the warm process has the module.
            The function gets its end of the line and `argument`.
        argument: what it shall do.
    """

    def __init__(self, work: str, argument: Any) -> None:
        self.line, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_run, args=(work, theirs, argument), daemon=False)
        self._process.start()
        theirs.close()

    @property
    def exit_code(self) -> int | None:
        """How it ended: the negative number of a signal, or its exit status; None while it runs."""
        return self._process.exitcode

    def end(self, patience_seconds: float) -> int:
        """Wait for its end; then kill it and all that it started. Returns its exit code."""
        self._process.join(patience_seconds)
        if self._process.is_alive():
            self.kill()
        self._process.join()
        self.line.close()
        return self._process.exitcode or 0

    def kill(self) -> None:
        """Kill it and all that it started, now."""
        try:
            os.killpg(self._process.pid or 0, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            self._process.kill()


def limit_memory(most_bytes: int | None) -> None:
    """Let allocations beyond a limit fail in this process instead of taking the machine down."""
    if most_bytes is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (most_bytes, most_bytes))


def _run(work: str, line: Connection, argument: Any) -> None:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent()
    module, _, function = work.partition(":")
    try:
        getattr(importlib.import_module(module), function)(line, argument)
    except (BrokenPipeError, EOFError):
        # The supervisor is gone: nobody would hear us.
        os._exit(1)


def _die_with_parent() -> None:
    """Ask the kernel to kill this process when the one it was forked from dies, which dies with the worker.

    Where the kernel cannot be asked (macOS) a broken line ends the process at its next word.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
