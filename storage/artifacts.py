"""Files by the SHA-256 of their bytes: written whole or not at all, the same bytes once."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol
from urllib.parse import unquote, urlsplit

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Artifact:
    """A stored file."""

    sha256: str
    bytes: int


class Artifacts(Protocol):
    """Where files are kept."""

    def put(self, blocks: Iterable[bytes]) -> Artifact:
        """Store a file that comes in blocks; nothing is left behind when the blocks raise."""
        ...

    def path(self, sha256: str) -> Path:
        """A local path at which the file can be read.

        Raises:
            FileNotFoundError: there is no such file.
        """
        ...

    def delete(self, sha256: str) -> None:
        """Forget the file; forgetting it twice is fine."""
        ...


def open_artifacts(url: str) -> Artifacts:
    """The store behind a URL.

    Raises:
        ValueError: no store is known for the URL's scheme.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        return FileArtifacts(Path(unquote(parts.path)))
    raise ValueError(f"ANNEAL_ARTIFACTS_URL: {parts.scheme!r} is not supported; use file:///folder")


class FileArtifacts:
    """Artifacts in a folder that all gateways and workers share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, blocks: Iterable[bytes]) -> Artifact:
        digest, size = hashlib.sha256(), 0
        with self._temporary() as (descriptor, temporary):
            with os.fdopen(descriptor, "wb") as file:
                for block in blocks:
                    digest.update(block)
                    size += len(block)
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
            self._keep(temporary, digest.hexdigest())
        return Artifact(digest.hexdigest(), size)

    def path(self, sha256: str) -> Path:
        found = self._place(sha256)
        if not found.is_file():
            raise FileNotFoundError(f"artifact {sha256} is not in {self.folder}")
        return found

    def delete(self, sha256: str) -> None:
        self._place(sha256).unlink(missing_ok=True)

    def _place(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / sha256

    @contextmanager
    def _temporary(self) -> Generator[tuple[int, Path]]:
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=".incoming-", dir=self.folder)
        try:
            yield descriptor, Path(name)
        finally:
            Path(name).unlink(missing_ok=True)

    def _keep(self, temporary: Path, sha256: str) -> None:
        place = self._place(sha256)
        place.parent.mkdir(exist_ok=True)
        temporary.replace(place)
        flush(place.parent)


def flush(path: Path) -> None:
    """Have a file on the disk, or a folder: a rename is there only once its folder is."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def blocks_of(path: Path) -> Iterator[bytes]:
    """A file's bytes, a block at a time."""
    with path.open("rb") as file:
        yield from blocks(file)


def blocks(file: IO[bytes]) -> Iterator[bytes]:
    """What is left of an open file, a block at a time."""
    while block := file.read(_BLOCK):
        yield block
