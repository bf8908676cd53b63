"""Who may enter: the project that a key opens, or that all belongs to while none was made."""

from __future__ import annotations

import hashlib
import ipaddress
import time

from storage.database import Database
from storage.keys import DEFAULT_PROJECT, any_key, project_of
from storage.settings import Settings

_LOOKED_UP_EVERY = 1.0
"""Seconds: a key that is revoked opens nothing and a first key closes the door within so long."""


class Doors:
    """Tells a request's project by its key, from what was looked up within the last second.

    The gateway is open, and needs no key, while it is bound to loopback and no key was made.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self._database = database
        self._loopback = is_loopback(settings.host)
        self._seen: dict[bytes, tuple[str, float]] = {}

    def recall(self, secret: str | None) -> str | None:
        """The project of a key that was looked up lately, without looking it up; None where none was."""
        project, until = self._seen.get(_digest(secret), (None, 0.0))
        return project if until > time.monotonic() else None

    def open(self, secret: str | None) -> str | None:
        """The project that a key opens, or that is open without one; None where nothing is.

        Raises:
            Unavailable: the database does not answer.
        """
        found = self.recall(secret)
        if found is None:
            found = self._keyless() if secret is None else project_of(self._database, secret)
            self._remember(secret, found)
        return found

    def _keyless(self) -> str | None:
        return DEFAULT_PROJECT if self._loopback and not any_key(self._database) else None

    def _remember(self, secret: str | None, project: str | None) -> None:
        """Replace what was seen as a whole: threads that do so at once may each forget what another has seen."""
        now = time.monotonic()
        fresh = {digest: seen for digest, seen in self._seen.items() if seen[1] > now}
        if project is not None:
            fresh[_digest(secret)] = project, now + _LOOKED_UP_EVERY
        self._seen = fresh


def is_loopback(host: str) -> bool:
    """Whether an address or a Host header's name means this very machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _digest(secret: str | None) -> bytes:
    """What stands for a key in memory, as another digest does in the database."""
    return b"" if secret is None else hashlib.sha256(secret.encode()).digest()
