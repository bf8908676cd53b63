"""Everything is killed at once, and the one command that started it brings it all back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import httpx

from embedded.supervisor import pick_port
from tests.faults.scene import SPEC, submit, trained
from tests.following import finish
from tests.servers import descendants, is_alive, wait_until


def test_after_kill_9_of_everything_the_same_command_goes_on_from_the_last_checkpoint(tmp_path, undisturbed):
    with anneal_up(tmp_path) as one:
        job = submit(one)
        trained(one, job, 300)
        everything = [one.pid, *descendants(one.pid)]
        for pid in everything:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(is_alive(pid) for pid in everything), 30, "the end of everything")
    with anneal_up(tmp_path) as one:
        done = finish(one, job)
        assert done["attempt"] >= 2
        undisturbed(one, done, SPEC)


@contextmanager
def anneal_up(folder):
    """`anneal up` on a folder, as a person starts it, once it is ready."""
    port = pick_port("127.0.0.1", 0)
    command = [Path(sys.executable).with_name("anneal"), "up", "--port", str(port), "--workers", "1"]
    settings = {"ANNEAL_HOME": str(folder / "home"), "ANNEAL_THREADS": "1", "ANNEAL_LEASE_SECONDS": "2"}
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, env=os.environ | settings, stdout=output, stderr=output)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
            wait_until(lambda: is_ready(client), 120, "anneal up")
            yield SimpleNamespace(client=client, pid=process.pid)
    finally:
        process.terminate()
        process.wait(60)


def is_ready(client):
    try:
        return client.get("/readyz").is_success
    except httpx.TransportError:
        return False
