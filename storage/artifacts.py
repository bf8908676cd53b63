"""Files by the SHA-256 of their bytes: written whole or not at all, the same bytes once."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Container, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol
from urllib.parse import unquote, urlsplit

from api_schemas.errors import DiskFull

_BLOCK = 1 << 20
_INCOMING = ".incoming-"


@dataclass(frozen=True)
class Artifact:
    """A stored file."""

    sha256: str
    bytes: int


class Artifacts(Protocol):
    """Where files are kept."""

    def put(self, blocks: Iterable[bytes]) -> Artifact:
        """Store a file that comes in blocks; nothing is left behind when the blocks raise.

        Raises:
            DiskFull: there is no room for it.
        """
        ...

    def path(self, sha256: str) -> Path:
        """A local path at which the file can be read.

        Raises:
            FileNotFoundError: there is no such file.
        """
        ...

    def renew(self, sha256: str) -> Path:
        """Make a file as young as if it were stored now, for whoever is about to refer to it; returns its path.

        Raises:
            FileNotFoundError: there is no such file.
        """
        ...

    def delete(self, sha256: str) -> None:
        """Forget the file; forgetting it twice is fine."""
        ...

    def now(self) -> float:
        """This moment by the store's own clock, in seconds since 1970; files are as old as that clock says."""
        ...

    def sweep(self, before: float, kept: Container[str]) -> int:
        """Delete the files that were last stored or renewed before a moment, half-written ones too.

        A file that is stored or renewed meanwhile stays.

        Args:
            before: by the store's own clock.
            kept: the digests of files that stay however old they are.

        Returns:
            How many there were.
        """
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
        with _room(), self._temporary() as (descriptor, temporary):
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

    def renew(self, sha256: str) -> Path:
        found = self.path(sha256)
        with self._lock(fcntl.LOCK_SH):
            os.utime(found)
        return found

    def delete(self, sha256: str) -> None:
        self._place(sha256).unlink(missing_ok=True)

    def now(self) -> float:
        with self._temporary() as (descriptor, _):
            moment = os.fstat(descriptor).st_mtime
            os.close(descriptor)
        return moment

    def sweep(self, before: float, kept: Container[str]) -> int:
        if not self.folder.exists():
            return 0
        return sum(self._sweep(path, before) for path in self._all() if path.name not in kept)

    def _sweep(self, path: Path, before: float) -> bool:
        """Delete a file, unless it is young; whether it is one is asked when nobody can make it young."""
        with self._lock(fcntl.LOCK_EX):
            old = path.exists() and path.stat().st_mtime < before
            if old:
                path.unlink()
        return old

    def _all(self) -> Iterator[Path]:
        """Every file, those too that are being written."""
        yield from self.folder.glob(f"{_INCOMING}*")
        yield from self.folder.glob("[0-9a-f][0-9a-f]/*")

    @contextmanager
    def _lock(self, kind: int) -> Generator[None]:
        """Keep sweeps away from those who store or renew (`LOCK_SH`), or the other way round (`LOCK_EX`)."""
        with (self.folder / ".lock").open("ab") as file:
            fcntl.flock(file, kind)
            yield

    def _place(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / sha256

    @contextmanager
    def _temporary(self) -> Generator[tuple[int, Path]]:
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=_INCOMING, dir=self.folder)
        try:
            yield descriptor, Path(name)
        finally:
            Path(name).unlink(missing_ok=True)

    def _keep(self, temporary: Path, sha256: str) -> None:
        place = self._place(sha256)
        place.parent.mkdir(exist_ok=True)
        with self._lock(fcntl.LOCK_SH):
            os.utime(temporary)
            temporary.replace(place)
        flush(place.parent)
        flush(self.folder)  # in which the folder of the file may be new


def is_full(error: BaseException | None) -> bool:
    """Whether an error says that there is no room left on a disk, or no more of it for this user."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def _room() -> Generator[None]:
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        raise DiskFull("the disk that files are kept on is full; try again", retry_after_seconds=10) from error


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
