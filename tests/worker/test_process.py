"""Child processes stand ready, do one thing, and do not outlive whom they work for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.servers import is_alive, wait_until
from worker.output import MOST_BYTES
from worker.process import Child, Spares, warm_up

ECHO = "tests.worker.work:echo"


@pytest.fixture(scope="module", autouse=True)
def warm():
    """The process that children are forked from."""
    warm_up()


def test_a_child_hears_and_answers():
    child = Child(ECHO)
    child.line.send("hello")
    assert child.line.recv()[0] == "hello"
    assert child.end(5) == 0


def test_a_child_that_does_not_end_is_killed_with_all_that_it_started():
    child = Child("tests.worker.work:sleep_with_a_child")
    own, below = child.line.recv()
    assert child.end(0.1) == -signal.SIGKILL
    wait_until(lambda: not is_alive(own) and not is_alive(below), 5, "the end of both")


def test_a_spare_that_died_is_not_handed_out():
    spares = Spares(ECHO)
    first = spares.take()
    first.line.send("once")
    pid = first.line.recv()[1]
    wait_until(lambda: not is_alive(pid), 5, "the end of the child")
    spares.give_back(first)
    second = spares.take()
    second.line.send("again")
    assert second.line.recv()[0] == "again"
    second.end(5)
    spares.end()


def test_a_spare_that_is_ready_only_when_its_worker_ends_ends_too():
    spares = Spares(ECHO)
    late = Child(ECHO)
    spares.end()
    spares.give_back(late)
    assert not late.alive


def test_a_spare_that_was_given_back_is_taken_again():
    spares = Spares(ECHO)
    child = spares.take()
    spares.give_back(child)
    assert spares.take() is child
    spares.give_back(child)
    spares.end()
    assert not child.alive


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends the children of a process that was killed")
def test_children_die_with_a_worker_that_is_killed():
    program = (
        "from worker.process import Child, warm_up\n"
        "warm_up()\n"
        "child = Child('tests.worker.work:sleep_with_a_child')\n"
        "print(*child.line.recv(), flush=True)\n"
        "import time; time.sleep(600)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    child = int(owner.stdout.readline().split()[0])
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    wait_until(lambda: not is_alive(child), 5, "the end of the child")


def test_a_flood_of_output_is_bounded_to_its_beginning_and_its_end(capfd):
    child = Child("tests.worker.work:flood")
    assert child.line.recv() == "done"
    assert child.end(5) == 0
    passed_on = capfd.readouterr().err
    assert passed_on.startswith("line 0\nline 1\n")
    assert passed_on.endswith("line 999999\nto stderr\n")
    assert "bytes of output are left out here]" in passed_on
    assert len(passed_on) < 2 * MOST_BYTES + 100
