"""Processes that serve one socket together, each forked from one that has imported everything already."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from storage.parents import die_with_parent

log = structlog.get_logger()

_HEARD = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
_PAUSE_SECONDS = 0.5
"""Before one that ended is replaced: what ends at once, again and again, shall not keep a core busy."""


def keep_running(count: int, work: Callable[[], None], patience_seconds: float) -> None:
    """Run so many processes, replace who ends, and end them all when this one is asked to end.

    There must be no other thread: a fork would copy its locks and not the thread.

    Args:
        count: processes.
        work: what each does until a SIGTERM; it returns or exits then.
        patience_seconds: how long they may take to end.
    """
    # Signals are waited for, not handled: none is lost between a look at the processes and the wait for the next.
    signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    running = {_fork(work) for _ in range(count)}
    while signal.sigwait(_HEARD) == signal.SIGCHLD:
        for pid in _ended(running):
            log.warning("gateway_process_ended", pid=pid)
            time.sleep(_PAUSE_SECONDS)
            running.add(_fork(work))
    _end(running, patience_seconds)


def _fork(work: Callable[[], None]) -> int:
    parent = os.getpid()
    if pid := os.fork():
        return pid
    status = 1
    try:
        die_with_parent()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)
        if os.getppid() == parent:
            work()
            status = 0
    except Exception:
        log.exception("gateway_process_failed")
    finally:
        os._exit(status)  # what the parent opened is the parent's to close


def _ended(running: set[int]) -> list[int]:
    """Those that have ended, which `running` then has no more."""
    ended = [pid for pid in running if os.waitpid(pid, os.WNOHANG)[0]]
    running.difference_update(ended)
    return ended


def _end(running: set[int], patience_seconds: float) -> None:
    deadline = time.monotonic() + patience_seconds
    _send(signal.SIGTERM, running)
    while running and time.monotonic() < deadline:
        _ended(running)
        time.sleep(0.02)
    _send(signal.SIGKILL, running)


def _send(number: signal.Signals, running: set[int]) -> None:
    for pid in running:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
