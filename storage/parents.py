"""The bond of a process to the one that started it."""

from __future__ import annotations

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends; may be called between fork and exec.

    The kernel goes by the thread that forked, so a supervisor starts its children from its main thread. Linux alone
    can do this: elsewhere a supervisor that is killed with -9 leaves its children to notice, or to be ended by hand.
    """
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
