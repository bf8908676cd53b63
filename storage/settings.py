"""The settings of a process: built once in its entry point, handed down, read nowhere else."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote

from annotated_types import Ge, Gt, Le
from pydantic import field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from api_schemas.sources import check_hosts

_LONGEST_SOCKET_PATH = 100
"""A unix socket's path may have 107 bytes on Linux and 103 on macOS."""


class Settings(BaseSettings):
    """What an operator may set, each as `ANNEAL_<NAME>` in the environment.

    The defaults are the embedded shape: everything in one folder on one machine.
    """

    model_config = SettingsConfigDict(env_prefix="ANNEAL_", frozen=True)

    home: Path = Path("~/.anneal")
    """The folder that holds all state: database, datasets, models, broker, logs."""
    host: str = "127.0.0.1"
    """Address that the gateway listens on. Anything but loopback needs API keys."""
    port: Annotated[int, Ge(0), Le(65535)] = 8000
    """Port that the gateway listens on."""
    gateway_processes: Annotated[int, Ge(1), Le(16)] = 1
    """How many processes of a gateway answer at its port: a second core answers twice as much. Together they keep to 30
    connections to PostgreSQL, or to 4 each where they are more than 7."""
    database_url: str | None = None
    """`postgresql+psycopg://user:password@host/name`; by default SQLite in `home`."""
    broker_url: str | None = None
    """`redis://host:6379/0`; by default the embedded broker's socket in `home`."""
    artifacts_url: str | None = None
    """Where files are kept: `file:///folder`; by default in `home`."""
    workers: Annotated[int, Ge(1), Le(256)] | None = None
    """How many jobs a worker trains at a time; by default one for each GPU, else one for each two cores."""
    threads: Annotated[int, Ge(1), Le(256)] | None = None
    """CPU threads of one training; by default the cores shared out among the workers. Small networks take one."""
    fuse_most: Annotated[int, Ge(1), Le(1024)] = 32
    """Most jobs that are trained together in one slot of a worker, where their network and data are the same; 1: each
    alone."""
    queues: Annotated[str, NoDecode] = "default"
    """Queues that a worker serves, separated by commas."""
    project_queued: Annotated[int, Ge(1)] | None = None
    """Most jobs of a project that may wait; one more is answered with 429. By default any number."""
    project_running: Annotated[int, Ge(1)] | None = None
    """Most jobs of a project that workers may have at a time; the others wait. By default any number."""
    lease_seconds: Annotated[float, Gt(0)] = 10.0
    """How long a worker may be silent before its jobs are given to another."""
    grace_seconds: Annotated[float, Gt(0)] = 300.0
    """How long beyond its lease a training goes on while its worker cannot reach the database; then it writes a
    checkpoint and stops, since another worker may have its job."""
    unreported_points: Annotated[int, Gt(0)] = 2_000_000
    """Points of a curve that a training keeps while the database is away; then it waits."""
    drain_seconds: Annotated[float, Gt(0)] = 20.0
    """How long a stopping worker may take to write the checkpoints of what it trains."""
    trainer_memory_bytes: Annotated[int, Gt(0)] | None = None
    """Most memory that one training may take; by default what the machine has."""
    reader_memory_bytes: Annotated[int, Gt(0)] | None = None
    """Most memory that the reading of a dataset may take; by default three quarters of the machine's."""
    reader_seconds: Annotated[float, Gt(0)] = 600.0
    """Longest that the reading of a dataset may take, and before it the fetching of one by URL."""
    garbage_seconds: Annotated[float, Gt(0)] = 3600.0
    """How long a stored file is kept that nothing refers to; longer than a process takes to say what a file is for."""
    dataset_rows: Annotated[int, Gt(0)] = 100_000_000
    """Most rows of a dataset."""
    dataset_columns: Annotated[int, Gt(0), Le(10_000)] = 10_000
    """Most columns of a table."""
    dataset_bytes: Annotated[int, Gt(0)] = 20 << 30
    """Largest dataset once it is decompressed, and as the arrays that training reads."""
    max_body_bytes: Annotated[int, Gt(0)] = 1 << 20
    """Largest JSON body that the gateway reads."""
    max_upload_bytes: Annotated[int, Gt(0)] = 10 << 30
    """Largest dataset that the gateway takes, and that a worker fetches."""
    fetch_hosts: Annotated[str, NoDecode] = ""
    """Hosts from which workers fetch datasets by URL, separated by commas: `data.example.org`, `*.example.org` for all
    names below it, `*` for all. Before a name `http://` allows that in place of HTTPS, `:8443` after it another port.
    Addresses that are not on the public internet are never fetched from. Empty: nothing is fetched."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """What is logged."""
    log_format: Literal["json", "console"] = "json"
    """How it is logged."""

    @field_validator("fetch_hosts")
    @classmethod
    def _hosts_that_can_be(cls, given: str) -> str:
        check_hosts(_listed(given))
        return given

    @property
    def folder(self) -> Path:
        """`home`, absolute."""
        return self.home.expanduser().absolute()

    def scratch(self) -> Path:
        """The folder of files that are on their way, made where there is none."""
        folder = self.folder / "scratch"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def compiled(self) -> Path:
        """The folder of the programs that networks were compiled to, which other jobs of the same shapes take over."""
        return self.folder / "compiled"

    @property
    def database(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite:///{self.folder / 'anneal.db'}"

    @property
    def artifacts(self) -> str:
        """The artifact store's URL."""
        return self.artifacts_url or (self.folder / "artifacts").as_uri()

    @property
    def broker_socket(self) -> Path:
        """The embedded broker's private socket; in the temporary folder where `home` is too deep for one."""
        inside = self.folder / "broker" / "valkey.sock"
        if len(bytes(inside)) <= _LONGEST_SOCKET_PATH:
            return inside
        digest = hashlib.sha256(bytes(self.folder)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"anneal-{digest}" / "valkey.sock"

    @property
    def broker(self) -> str:
        """The broker's URL."""
        return self.broker_url or f"redis+socket://{quote(str(self.broker_socket))}"

    @property
    def queue_names(self) -> list[str]:
        """The queues that a worker serves."""
        return _listed(self.queues)

    @property
    def fetch_from(self) -> list[str]:
        """The hosts that datasets may be fetched from."""
        return _listed(self.fetch_hosts)


def _listed(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
