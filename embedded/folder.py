"""The folder that holds one instance's state, held by one supervisor at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from embedded.errors import CannotStart


class HeldFolder:
    """A folder that nobody but its owner may read, locked against a second supervisor.

    The lock is the kernel's: it ends with the process that holds it, however that process ends.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    @property
    def logs(self) -> Path:
        """Where the processes of this instance write their logs."""
        return self.path / "logs"

    def hold(self) -> None:
        """Make the folder and lock it.

        Raises:
            CannotStart: when it cannot be a folder, cannot be written, or is held by another supervisor.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.mkdir(mode=0o700, exist_ok=True)
            self.logs.mkdir(mode=0o700, exist_ok=True)
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except (FileExistsError, NotADirectoryError) as error:
            raise CannotStart(f"{error.filename} is a file, not a folder; {_OTHER_FOLDER}") from error
        except OSError as error:
            raise CannotStart(f"cannot write in {self.path} ({error.strerror}); {_OTHER_FOLDER}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(lock, 1000, 0).decode() or "has only just been started"
            os.close(lock)
            raise CannotStart(
                f"another Anneal {holder} and holds {self.path}; use that one, stop it, or {_OTHER_FOLDER}"
            ) from error
        self._lock = lock
        os.ftruncate(lock, 0)

    def sign(self, url: str) -> None:
        """Tell a second supervisor who holds the folder and where it serves."""
        if self._lock is not None:
            os.pwrite(self._lock, f"(process {os.getpid()}) serves {url}".encode(), 0)

    def release(self) -> None:
        """Let the next supervisor have the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


_OTHER_FOLDER = "choose another folder with ANNEAL_HOME"
