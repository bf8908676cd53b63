"""Folders of files that are on their way: each is gone with its owner, at the latest when another owner begins."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from storage.settings import Settings


@contextmanager
def scratch_folder(settings: Settings, prefix: str) -> Generator[Path]:
    """A folder that lasts as long as this does, and is nobody's once its process was killed."""
    parent = settings.scratch()
    with ExitStack() as owned:
        with _locked(parent, fcntl.LOCK_SH):  # from here no sweep sees it without its lock
            folder = Path(owned.enter_context(tempfile.TemporaryDirectory(prefix=prefix, dir=parent)))
            owned.enter_context(_locked(folder, fcntl.LOCK_SH))
        yield folder


def sweep_scratch(settings: Settings) -> int:
    """Delete the folders whose owners were killed; returns how many there were."""
    parent = settings.scratch()
    with _locked(parent, fcntl.LOCK_EX):
        return sum(_sweep(folder) for folder in parent.iterdir() if folder.is_dir())


def _sweep(folder: Path) -> bool:
    try:
        with _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(folder, ignore_errors=True)  # a trainer may be at its last word in there
    except BlockingIOError:
        return False
    return True


@contextmanager
def _locked(folder: Path, kind: int) -> Generator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, kind)
        yield
    finally:
        os.close(descriptor)
