"""Processes of the supervisor, as real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from embedded import children
from embedded.children import Child
from embedded.errors import CannotStart, KeepsDying
from tests.servers import is_alive, wait_until


def make(log: Path, program: str, name: str = "worker") -> Child:
    return Child(name, [sys.executable, "-c", textwrap.dedent(program)], dict(os.environ), log / f"{name}.log")


def test_a_child_that_ends_is_started_again(tmp_path: Path) -> None:
    child = make(tmp_path, "import time; time.sleep(600)")
    child.start()
    first = child.pid
    child.signal(signal.SIGKILL)

    wait_until(lambda: child.revive() or child.pid != first)

    assert child.returncode is None
    child.kill()


def test_a_child_that_stays_stopped_is_killed_and_one_that_goes_on_is_not(tmp_path: Path) -> None:
    child = make(tmp_path, "import time; time.sleep(600)")
    child.start()
    child.signal(signal.SIGSTOP)
    look_on(child, 0.5)
    child.signal(signal.SIGCONT)
    look_on(child, 1.5)
    assert child.returncode is None

    child.signal(signal.SIGSTOP)
    look_on(child, 1.5)
    assert child.returncode == -signal.SIGKILL


def look_on(child: Child, seconds: float) -> None:
    """As a supervisor does that allows a second."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        child.end_if_stopped(1.0)
        time.sleep(0.05)


def test_a_child_that_keeps_dying_is_given_up_with_the_end_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "FIRST_PAUSE_SECONDS", 0.01)
    child = make(tmp_path, "raise SystemExit('no such device')")
    child.start()

    with pytest.raises(KeepsDying, match=r"(?s)the worker ended with code 1.*no such device.*5 times"):
        wait_until(child.revive)


def test_the_end_of_the_log_holds_nothing_of_an_earlier_start(tmp_path: Path) -> None:
    (tmp_path / "worker.log").write_text("an old trouble\n")
    child = make(tmp_path, "print('a new trouble')")
    child.start()
    wait_until(lambda: child.returncode is not None)

    assert child.tail() == "a new trouble"


def test_a_log_that_has_grown_large_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "LARGE_LOG_BYTES", 10)
    (tmp_path / "worker.log").write_text("more than ten bytes\n")
    child = make(tmp_path, "print('hello')")
    child.start()
    wait_until(lambda: child.returncode is not None)

    assert (tmp_path / "worker.log").read_text() == "hello\n"
    assert (tmp_path / "worker.log.1").read_text() == "more than ten bytes\n"


def test_a_child_that_does_not_listen_is_killed_with_all_of_its_session(tmp_path: Path) -> None:
    child = make(
        tmp_path,
        """
        import signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid, flush=True)
        time.sleep(600)
        """,
    )
    child.start()
    grandchild = int(wait_until(child.tail))

    child.stop(0.2)

    assert child.returncode == -signal.SIGKILL
    wait_until(lambda: not is_alive(grandchild))


def test_a_program_that_does_not_exist_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"cannot start the broker: .*No such file"):
        Child("broker", ["/nowhere/valkey-server"], {}, tmp_path / "broker.log").start()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends the children of a process that was killed")
def test_a_child_dies_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    program = f"""
        import time
        from pathlib import Path
        from embedded.children import Child
        child = Child('sleeper', ['sleep', '600'], {{}}, Path({str(tmp_path / "log")!r}))
        child.start()
        print(child.pid, flush=True)
        time.sleep(600)
    """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert is_alive(child)

    parent.kill()

    wait_until(lambda: not is_alive(child))
    parent.communicate()
