"""What the supervisor tells its processes; how it runs them is in tests/acceptance/test_up.py."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from embedded.database import migrate
from embedded.errors import CannotStart
from embedded.folder import HeldFolder
from embedded.supervisor import Supervisor, make_environment, pick_port
from storage.database import Database
from storage.settings import Settings


def test_a_process_reads_back_the_very_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNEAL_QUEUES", "not, these")
    settings = Settings(
        home=tmp_path / "a folder",
        port=1234,
        queues="default,large",
        workers=3,
        lease_seconds=2.5,
        log_format="console",
    )
    program = "from storage.settings import Settings; print(Settings().model_dump_json())"

    read = subprocess.run(
        [sys.executable, "-c", program], env=make_environment(settings), capture_output=True, text=True, check=True
    )

    assert Settings.model_validate_json(read.stdout) == settings


def test_port_0_picks_a_free_one() -> None:
    port = pick_port("127.0.0.1", 0)

    socket.create_server(("127.0.0.1", port)).close()


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_of_another_machine_is_named(host: str) -> None:
    with pytest.raises(CannotStart, match=f"cannot listen on port 8000 of {host}: "):
        pick_port(host, 8000)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("example.test", "http://example.test:8000"),
    ],
)
def test_the_address_shown_is_one_that_this_machine_can_open(tmp_path: Path, host: str, url: str) -> None:
    assert Supervisor(Settings(home=tmp_path, host=host)).url == url


def test_a_database_that_is_away_is_named_without_its_password() -> None:
    port = pick_port("127.0.0.1", 0)
    database = Database(f"postgresql+psycopg://anneal:secret@127.0.0.1:{port}/anneal")

    with pytest.raises(CannotStart, match=rf"127.0.0.1:{port}/anneal.*refused") as refused:
        migrate(database)
    assert "secret" not in str(refused.value)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "anneal.db").write_text(
        "a letter to a friend, which is longer than the header of a database file\n" * 9
    )

    with pytest.raises(CannotStart, match=r"anneal\.db.*not a database"):
        migrate(Database(f"sqlite:///{tmp_path / 'anneal.db'}"))


def test_a_start_that_failed_lets_the_folder_go(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(home=tmp_path / "home", port=taken.getsockname()[1])
        with pytest.raises(CannotStart, match="is in use"), Supervisor(settings) as anneal:
            anneal.start()

    folder = HeldFolder(tmp_path / "home")
    folder.hold()
    folder.release()
