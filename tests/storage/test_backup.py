"""A backup brings everything back, or says what is wrong with it and brings back nothing."""

from __future__ import annotations

import zipfile
from contextlib import closing

import pytest
from sqlalchemy import select

from api_schemas.errors import Conflict
from storage import copying
from storage.artifacts import blocks_of, open_artifacts
from storage.backup import DamagedBackup, back_up, restore
from storage.database import Database
from storage.migrations import current, upgrade
from storage.references import references
from storage.tables import ModelRow
from tests.storage.filled import fill


@pytest.fixture
def artifacts(tmp_path):
    return open_artifacts((tmp_path / "files").as_uri())


@pytest.fixture
def full(sqlite_url, artifacts):
    """A database with something in every table, all of whose files there are."""
    upgrade(sqlite_url)
    with closing(Database(sqlite_url)) as database:
        fill(database, lambda number: artifacts.put([b"file %d" % number]).sha256)
        yield database


@pytest.fixture
def empty(tmp_path):
    """Where nothing is yet: a database without a schema, and no files."""
    with closing(Database(f"sqlite:///{tmp_path / 'empty.db'}")) as database:
        database.files = open_artifacts((tmp_path / "empty files").as_uri())
        yield database


def referred(database):
    with database.snapshot() as connection:
        return references(connection)


def models(database):
    with database.read() as session:
        return [row.name for row in session.scalars(select(ModelRow))]


def files_of(store):
    return [path for path in store.folder.rglob("*") if path.is_file()] if store.folder.exists() else []


def test_all_rows_and_all_files_come_back(full, artifacts, empty, tmp_path):
    manifest = back_up(full, artifacts, tmp_path / "backup.zip")
    assert manifest.missing == []
    assert restore(empty, empty.files, tmp_path / "backup.zip") == manifest
    assert models(empty) == ["digits"]
    assert referred(empty) == referred(full) == set(manifest.files)
    for digest in manifest.files:
        assert list(blocks_of(empty.files.path(digest))) == list(blocks_of(artifacts.path(digest)))


def test_nothing_but_the_backup_is_left_beside_it(full, artifacts, tmp_path):
    folder = tmp_path / "backups"
    folder.mkdir()
    (folder / "backup.zip").write_bytes(b"of yesterday")
    back_up(full, artifacts, folder / "backup.zip")
    assert [path.name for path in folder.iterdir()] == ["backup.zip"]


def test_a_backup_that_is_interrupted_leaves_the_one_before(full, artifacts, tmp_path):
    def pull_the_plug(what, _count):
        if what == "files":
            raise KeyboardInterrupt

    (tmp_path / "backup.zip").write_bytes(b"of yesterday")
    with pytest.raises(KeyboardInterrupt):
        back_up(full, artifacts, tmp_path / "backup.zip", pull_the_plug)
    assert (tmp_path / "backup.zip").read_bytes() == b"of yesterday"
    assert not list(tmp_path.glob(".backup-*"))


def test_what_is_deleted_while_it_is_written_is_neither_in_its_database_nor_missing(full, artifacts, tmp_path):
    """As a worker does: the checkpoint is replaced by another, and its file deleted."""
    new, old = artifacts.put([b"new"]).sha256, artifacts.put([b"file 8"]).sha256

    def replace(what, _count):
        if what == "files" and old in referred(full):
            with full.write() as session:
                for table in ("checkpoints", "checkpoint_sha256"):
                    session.connection().exec_driver_sql(
                        f"UPDATE jobs SET {table} = replace({table}, '{old}', '{new}')"
                    )
            artifacts.delete(old)

    manifest = back_up(full, artifacts, tmp_path / "backup.zip", replace)
    assert manifest.missing == []
    assert new in manifest.files
    assert old not in manifest.files


def test_files_that_are_gone_or_damaged_are_named_and_the_rest_is_kept(full, artifacts, empty, tmp_path):
    gone, damaged = artifacts.put([b"file 4"]).sha256, artifacts.put([b"file 5"]).sha256
    artifacts.delete(gone)
    artifacts.path(damaged).write_bytes(b"file 6")
    manifest = back_up(full, artifacts, tmp_path / "backup.zip")
    assert manifest.missing == sorted([gone, damaged])
    restore(empty, empty.files, tmp_path / "backup.zip")
    assert models(empty) == ["digits"]


def changed(path, member):
    """A backup with one byte of a member changed, of a database in a row, and the zip's own checksum right."""
    other = path.with_name("changed.zip")
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(other, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            place = content.rindex(b'"dataset"') if name == "anneal.db" else len(content) - 1
            damaged = content[:place] + b"?" + content[place + 1 :]
            after.writestr(name, damaged if name == member else content)
    return other


@pytest.mark.parametrize("damage", ["truncated", "database", "file", "manifest", "flipped bit", "another zip"])
def test_a_damaged_backup_brings_back_nothing(full, artifacts, empty, tmp_path, damage):
    path = tmp_path / "backup.zip"
    manifest = back_up(full, artifacts, path)
    match damage:
        case "truncated":
            path.write_bytes(path.read_bytes()[:-1000])
        case "flipped bit":
            content = bytearray(path.read_bytes())
            content[content.index(b"SQLite format 3") + 5000] ^= 1
            path.write_bytes(content)
        case "another zip":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("a.csv", "a,b\n")
        case member:
            members = {"database": "anneal.db", "file": manifest.files[0], "manifest": "manifest.json"}
            path = changed(path, members[member])
    with pytest.raises(DamagedBackup):
        restore(empty, empty.files, path)
    assert current(empty) is None


def test_a_database_that_is_not_empty_is_left_as_it_is(full, artifacts, tmp_path):
    back_up(full, artifacts, tmp_path / "backup.zip")
    with pytest.raises(Conflict, match="still use the database"):
        restore(full, artifacts, tmp_path / "backup.zip")
    with pytest.raises(Conflict, match="not empty"):
        copying.refuse_used(full)


def test_a_backup_of_a_newer_version_is_left_to_it(full, artifacts, empty, tmp_path):
    back_up(full, artifacts, tmp_path / "backup.zip")
    with zipfile.ZipFile(tmp_path / "backup.zip") as archive:
        manifest = archive.read("manifest.json").decode()
    with zipfile.ZipFile(tmp_path / "newer.zip", "w") as archive:
        archive.writestr("manifest.json", manifest.replace(f'"revision": "{current(full)}"', '"revision": "9999"'))
    with pytest.raises(Conflict, match="schema 9999"):
        restore(empty, empty.files, tmp_path / "newer.zip")
