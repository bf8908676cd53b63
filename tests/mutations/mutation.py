"""Breaking one thing in a copy of the code, and asking the tests whether they notice."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_PATIENCE_SECONDS = 600
_ALL_PASSED, _SOME_FAILED = 0, 1
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+::[^\s\[]+(?:\[[^\]]*\])?)", re.MULTILINE)


@dataclass(frozen=True)
class Mutation:
    """One thing that is broken, and the tests that should notice."""

    says: str
    """What is wrong then."""
    path: str
    old: str
    """Stands in the file once."""
    new: str
    tests: tuple[str, ...]
    """As pytest takes them: files, or a test's node id."""

    def mutate(self, text: str) -> str:
        """The file's text with the fault in it.

        Raises:
            ValueError: the text that is replaced does not stand there once.
        """
        if text.count(self.old) != 1:
            raise ValueError(f"{self.path}: this stands there {text.count(self.old)} times, not once:\n{self.old}")
        return text.replace(self.old, self.new)


def copy_tree(folder: Path) -> None:
    """Copy all files that git tracks, as they are now."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def failing(folder: Path, tests: Sequence[str], *options: str) -> str | None:
    """The first of these tests to fail in a copy of the code; None where all pass.

    Args:
        folder: the copy.
        tests: as pytest takes them.
        options: of pytest.

    Raises:
        RuntimeError: the tests could not be run, which proves nothing.
    """
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=no", *options, *tests]
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no end within {_PATIENCE_SECONDS} s"
    if done.returncode == _ALL_PASSED:
        return None
    found = _FAILED.search(done.stdout)
    if done.returncode != _SOME_FAILED or found is None:
        raise RuntimeError(f"the tests could not be run:\n{done.stdout}{done.stderr}")
    return found.group(1)


def noticed_by(mutation: Mutation, folder: Path) -> str | None:
    """The test that fails once the fault is in the copy; None where it survives."""
    with _broken(mutation, folder / mutation.path):
        return failing(folder, mutation.tests, "--hypothesis-profile=unshrunk")


@contextmanager
def _broken(mutation: Mutation, path: Path) -> Generator[None]:
    whole = path.read_text()
    path.write_text(mutation.mutate(whole))
    try:
        yield
    finally:
        path.write_text(whole)
