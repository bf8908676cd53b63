"""A file is whole or not there, whenever its writer is killed or the machine loses power."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from storage.artifacts import FileArtifacts
from training.files import write_whole

SIZE = 4 << 20
WRITE = {
    "checkpoint": "write_whole(folder / f'checkpoint {byte}', lambda path: path.write_bytes(bytes([byte]) * SIZE))",
    "artifact": "FileArtifacts(folder).put(bytes([byte]) * (SIZE // 8) for _ in range(8))",
}
KILLED = """
import os, random, signal, sys, time
from pathlib import Path
from storage.artifacts import FileArtifacts
from training.files import write_whole

folder, SIZE = Path(sys.argv[1]), int(sys.argv[2])

def write():
    for byte in range(3):
        {write}

start = time.monotonic()
write()
took = time.monotonic() - start
random.seed(5)
for _ in range(15):
    writer = os.fork()
    while writer == 0:
        write()
    time.sleep(random.random() * took)
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    for path in folder.rglob("[!.]*"):
        if path.is_file():
            content = path.read_bytes()
            assert content == content[:1] * SIZE, path
"""


@pytest.mark.parametrize("kind", WRITE)
def test_a_writer_that_is_killed_at_any_moment_leaves_whole_files(tmp_path, kind):
    program = KILLED.format(write=WRITE[kind])
    subprocess.run([sys.executable, "-c", program, str(tmp_path), str(SIZE)], check=True)
    files = [path for path in tmp_path.rglob("*") if path.is_file() and not path.name.startswith(".")]
    assert len(files) == 3
    if kind == "artifact":
        assert all(path.name == hashlib.sha256(path.read_bytes()).hexdigest() for path in files)


@pytest.fixture
def asked_of_the_disk(monkeypatch):
    """What is flushed and renamed, in order: the call, the file or folder, and what it holds then."""
    calls, fsync, replace = [], os.fsync, os.replace

    def flush(descriptor):
        fsync(descriptor)
        calls.append(("flush", *_identity(os.fstat(descriptor))))

    def rename(source, target):
        calls.append(("rename", *_identity(Path(source).stat())))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(os, "replace", rename)
    return calls


def _identity(status):
    return status.st_ino, None if stat.S_ISDIR(status.st_mode) else status.st_size


def test_a_checkpoint_is_on_the_disk_before_it_has_its_name_and_the_name_before_it_is_told(tmp_path, asked_of_the_disk):
    path = tmp_path / "checkpoint"
    write_whole(path, lambda temporary: temporary.write_bytes(b"state"))
    assert asked_of_the_disk == in_order(path)


def test_an_artifact_is_on_the_disk_before_it_has_its_name_and_the_name_before_it_is_told(tmp_path, asked_of_the_disk):
    store = FileArtifacts(tmp_path)
    stored = store.put([b"st", b"ate"])
    in_its_folder = in_order(store.path(stored.sha256))
    assert asked_of_the_disk == [*in_its_folder, ("flush", *_identity(tmp_path.stat()))]


def in_order(path):
    file, folder = _identity(path.stat()), _identity(path.parent.stat())
    return [("flush", *file), ("rename", *file), ("flush", *folder)]
