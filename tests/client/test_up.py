"""`anneal up --first-job`, as `make up` runs it."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.client.test_command import COMMAND, environment

pytestmark = pytest.mark.timeout(400)  # each start reads torch from the disk


def read_until(process: subprocess.Popen[str], wanted: str) -> str:
    """The lines up to the one with `wanted`."""
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if wanted in line:
            return "".join(lines)
    raise AssertionError(f"it ended before it said {wanted!r}: {''.join(lines)}{process.stderr.read()}")


def start(home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "up", "--first-job", "--port", "0", "--home", str(home)],
        env=environment(PYTHONUNBUFFERED="1", ANNEAL_WORKERS="1", ANNEAL_THREADS="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    return errors


def test_the_first_start_trains_a_first_job_and_the_second_shows_what_is_there(tmp_path: Path) -> None:
    first = start(tmp_path)
    try:
        said = read_until(first, "✔ succeeded")
    finally:
        assert end(first) == ""
    url, job_id = re.search(r"its page: (http://\S+)/#/jobs/(job_\w+)", said).groups()
    assert f"Anneal serves {url}\n" in said
    assert "val/accuracy" in said

    second = start(tmp_path)
    try:
        assert "first job: digits\tsucceeded\t100%" in read_until(second, job_id)
    finally:
        assert end(second) == ""


def test_a_job_that_still_trains_does_not_keep_up_from_stopping(tmp_path: Path) -> None:
    process = start(tmp_path)
    try:
        read_until(process, "running")
    finally:
        assert end(process) == ""
