"""Files are there whole or not at all, the same bytes once."""

from __future__ import annotations

import hashlib

import pytest

from storage.artifacts import blocks_of, open_artifacts


@pytest.fixture
def artifacts(tmp_path):
    """A store in a folder whose name needs quoting in a URL."""
    return open_artifacts((tmp_path / "some files").as_uri())


def files_of(artifacts):
    return [path.name for path in artifacts.folder.rglob("*") if path.is_file() and path.name != ".lock"]


def test_a_file_is_found_by_the_digest_of_its_bytes(artifacts):
    stored = artifacts.put([b"hello ", b"world"])
    assert stored.sha256 == hashlib.sha256(b"hello world").hexdigest()
    assert stored.bytes == 11
    assert b"".join(blocks_of(artifacts.path(stored.sha256))) == b"hello world"


def test_the_same_bytes_are_one_file(artifacts):
    assert artifacts.put([b"a", b"b"]) == artifacts.put([b"ab"])
    assert len(files_of(artifacts)) == 1


def test_a_broken_upload_leaves_nothing_behind(artifacts):
    def breaks():
        yield b"half"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        artifacts.put(breaks())
    assert files_of(artifacts) == []


def test_a_deleted_file_is_gone_and_may_be_deleted_again(artifacts):
    stored = artifacts.put([b"x"])
    artifacts.delete(stored.sha256)
    artifacts.delete(stored.sha256)
    with pytest.raises(FileNotFoundError):
        artifacts.path(stored.sha256)


def test_a_store_that_we_do_not_have_is_said_so():
    with pytest.raises(ValueError, match="'s3' is not supported"):
        open_artifacts("s3://bucket")
