"""What the child processes of the tests do."""

from __future__ import annotations

import os
import subprocess
import sys
import time


def echo(line):
    """Say what was heard, and who says it."""
    line.send((line.recv(), os.getpid()))


def sleep_with_a_child(line):
    """Sleep for longer than any test, and start another that does."""
    below = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    line.send((os.getpid(), below.pid))
    time.sleep(600)
