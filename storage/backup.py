"""Backups: the database and the files that it refers to, in one zip with their digests."""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from collections.abc import Collection, Generator, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from api_schemas.base import Reply
from api_schemas.errors import AnnealError, Conflict
from storage.artifacts import Artifacts, blocks, blocks_of, flush
from storage.copying import Tell, copy_database, refuse_busy, refuse_used
from storage.database import Database, now
from storage.migrations import is_ahead, newest, upgrade, what_differs
from storage.references import references

_DATABASE = "anneal.db"
_MANIFEST = "manifest.json"
_MOST_ROUNDS = 5
"""How often the database is copied because files that it refers to were deleted meanwhile."""


class DamagedBackup(AnnealError):
    """The file is no whole backup."""

    code, title = "damaged_backup", "Damaged backup"


class Manifest(Reply):
    """What a backup holds."""

    format: Literal["anneal-backup-1"] = "anneal-backup-1"
    version: str
    """Of the Anneal that wrote it."""
    revision: str
    """Of the database's schema."""
    created_at: datetime
    database_sha256: str
    files: list[str]
    """Digests of the stored files; each is a member of that name."""
    missing: list[str]
    """Digests that the database has, of files that were gone or damaged."""


def back_up(database: Database, artifacts: Artifacts, path: Path, tell: Tell = lambda _what, _count: None) -> Manifest:
    """Write a backup, whole or not at all, while Anneal runs or not.

    The database is copied as it is at one moment, and then the files, which never change. Where one was deleted in
    between, as old checkpoints are, the database is copied once more, and then only the files that are new.

    Args:
        database: at this version's schema.
        artifacts: where its files are.
        path: the backup; one that is there is replaced.
        tell: hears what is copied, and how much of it has been.
    """
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=path.absolute().parent) as name:
        folder = Path(name)
        with zipfile.ZipFile(folder / "backup", "w", strict_timestamps=False) as archive:
            manifest = _fill(archive, database, artifacts, folder / _DATABASE, tell)
        flush(folder / "backup")
        (folder / "backup").replace(path)
        flush(path.absolute().parent)
    return manifest


def restore(database: Database, artifacts: Artifacts, path: Path, tell: Tell = lambda _what, _count: None) -> Manifest:
    """Bring back what a backup holds, of this version or an older one; nothing is there until all is.

    Args:
        database: an empty one, of any kind.
        artifacts: where the files go.
        path: the backup.
        tell: hears what is copied, and how much of it has been.

    Raises:
        Conflict: the database is not empty, or the backup is of a newer version.
        DamagedBackup: something in it is not what it was.
    """
    refuse_busy(database)
    refuse_used(database)
    with _opened(path) as archive, tempfile.TemporaryDirectory() as folder:
        manifest = _manifest(archive)
        for count, sha256 in enumerate(manifest.files, start=1):
            _require(artifacts.put(_blocks(archive, sha256)).sha256 == sha256, sha256)
            tell("files", count)
        copy = Path(folder) / _DATABASE
        _require(_extract(archive, copy) == manifest.database_sha256, _DATABASE)
        upgrade(_sqlite(copy))
        with closing(Database(_sqlite(copy))) as source:
            copy_database(source, database, tell)
    return manifest


def _fill(archive: zipfile.ZipFile, database: Database, artifacts: Artifacts, copy: Path, tell: Tell) -> Manifest:
    kept: set[str] = set()
    wanted: set[str] = set()
    lost: set[str] = set()
    for _ in range(_MOST_ROUNDS):
        lost_before, wanted = lost, _copied(database, copy, tell)
        lost = _add(archive, artifacts, sorted(wanted - kept), tell)
        kept |= wanted - lost
        if lost == lost_before:  # what is missing twice will not come
            break
    archive.write(copy, _DATABASE)
    manifest = Manifest(
        version=version("anneal"),
        revision=newest(),
        created_at=now(),
        database_sha256=_sha256(blocks_of(copy)),
        files=sorted(kept & wanted),
        missing=sorted(lost),
    )
    archive.writestr(_MANIFEST, manifest.model_dump_json(indent=2))
    return manifest


def _copied(database: Database, copy: Path, tell: Tell) -> set[str]:
    """Copy the database to a file of SQLite; returns the digests of the files that it refers to."""
    copy.unlink(missing_ok=True)
    with closing(Database(_sqlite(copy))) as target:
        copy_database(database, target, tell)
        with target.snapshot() as connection:
            return references(connection)


def _add(archive: zipfile.ZipFile, artifacts: Artifacts, wanted: Collection[str], tell: Tell) -> set[str]:
    """Put files into the archive; returns the digests of those that are gone or damaged."""
    lost: set[str] = set()
    for count, sha256 in enumerate(wanted, start=1):
        try:
            path = artifacts.path(sha256)
            # Read twice, as a member of an archive cannot be taken back.
            if _sha256(blocks_of(path)) == sha256:
                archive.write(path, sha256)
            else:
                lost.add(sha256)
        except FileNotFoundError:
            lost.add(sha256)
        tell("files", count)
    return lost


@contextmanager
def _opened(path: Path) -> Generator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, EOFError) as error:
        raise DamagedBackup(f"{path} is no whole backup: {error}; nothing was restored") from error


def _manifest(archive: zipfile.ZipFile) -> Manifest:
    try:
        manifest = Manifest.model_validate_json(archive.read(_MANIFEST))
    except (KeyError, ValidationError) as error:
        raise DamagedBackup(f"{archive.filename} is no backup of Anneal") from error
    if is_ahead(manifest.revision):
        raise Conflict(f"the backup is of Anneal {manifest.version}: {what_differs(manifest.revision)}")
    return manifest


def _require(whole: bool, member: str) -> None:
    if not whole:
        raise DamagedBackup(f"{member} in the backup is not what it was when it was written; nothing was restored")


def _extract(archive: zipfile.ZipFile, path: Path) -> str:
    with path.open("wb") as file:
        for block in _blocks(archive, _DATABASE):
            file.write(block)
    return _sha256(blocks_of(path))


def _blocks(archive: zipfile.ZipFile, member: str) -> Iterator[bytes]:
    try:
        with archive.open(member) as file:
            yield from blocks(file)
    except KeyError:
        _require(whole=False, member=member)


def _sha256(parts: Iterator[bytes]) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(part)
    return total.hexdigest()


def _sqlite(path: Path) -> str:
    return f"sqlite:///{path}"
