"""The folder of one instance."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from embedded.errors import CannotStart
from embedded.folder import HeldFolder


def test_it_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = HeldFolder(tmp_path / "deep" / "anneal")
    folder.hold()

    assert folder.path.stat().st_mode & 0o777 == 0o700
    folder.release()


def test_a_second_holder_hears_who_holds_it_and_where_that_serves(tmp_path: Path) -> None:
    first, second = HeldFolder(tmp_path), HeldFolder(tmp_path)
    first.hold()
    first.sign("http://127.0.0.1:8000")

    with pytest.raises(CannotStart, match=rf"process {os.getpid()}\) serves http://127.0.0.1:8000 and holds"):
        second.hold()
    first.release()


def test_it_can_be_held_again_once_released(tmp_path: Path) -> None:
    first, second = HeldFolder(tmp_path), HeldFolder(tmp_path)
    first.hold()
    first.sign("http://127.0.0.1:8000")
    first.release()

    second.hold()
    second.release()


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_file_in_its_place_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(CannotStart, match=r"file is a file, not a folder; choose another folder with ANNEAL_HOME"):
        HeldFolder(tmp_path / name).hold()
