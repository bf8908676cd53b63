"""What the child processes of the tests do."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from ipaddress import ip_address

import httpx

from worker.fetcher import Internet, fetch
from worker.messages import Said, Saved
from worker.network import PublicNetwork


def echo(line):
    """Say what was heard, and who says it."""
    line.send((line.recv(), os.getpid()))


def sleep_with_a_child(line):
    """Sleep for longer than any test, and start another that does."""
    below = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    line.send((os.getpid(), below.pid))
    time.sleep(600)


def flood(line):
    """Print 10 MB, and one line to the other stream."""
    print("\n".join(f"line {number}" for number in range(1_000_000)), flush=True)
    print("to stderr", file=sys.stderr, flush=True)
    line.send("done")


def save_again_and_again(line):
    """Write many checkpoints, and say so, without waiting for anything."""
    given = line.recv()
    (task,) = given.tasks
    for steps_done in range(1, 151):
        path = given.folder / f"{steps_done}.checkpoint"
        path.write_bytes(bytes(steps_done))
        line.send(Said(task.job_id, Saved(path, steps_done)))
    line.poll(10)  # for an order, which comes long before


def fetch_from_this_machine(line):
    """Fetch as a worker does, in an internet that has one machine: this one."""
    network = PublicNetwork(lambda *_: [ip_address("127.0.0.1")], lambda address: address.is_loopback)
    fetch(line, Internet(network, httpx.create_ssl_context()))
