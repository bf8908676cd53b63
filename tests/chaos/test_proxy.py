"""The proxy in front of a server passes bytes on, until it is told otherwise."""

from __future__ import annotations

import socket
import threading

import pytest

from tests.chaos.proxy import Proxy


@pytest.fixture
def echo():
    """The port of a server that sends back what it gets."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer(connection):
            with connection:
                while data := connection.recv(1024):
                    connection.sendall(data)

        def serve():
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]


@pytest.fixture
def proxy(echo):
    return Proxy(echo)


def connect(proxy):
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def ask(connection, words=b"hello"):
    connection.sendall(words)
    return connection.recv(1024)


def is_closed(connection):
    try:
        return ask(connection) == b""
    except ConnectionError:
        return True


def test_what_is_said_is_passed_on_and_back(proxy):
    with connect(proxy) as connection:
        assert ask(connection) == b"hello"


def test_a_cut_resets_every_connection_and_new_ones_until_it_is_healed(proxy):
    with connect(proxy) as connection:
        assert ask(connection) == b"hello"
        proxy.cut()
        assert is_closed(connection)
    with connect(proxy) as connection:
        assert is_closed(connection)
    proxy.heal()
    with connect(proxy) as connection:
        assert ask(connection) == b"hello"


def test_a_connection_that_hung_goes_on_when_it_is_healed(proxy):
    with connect(proxy) as connection:
        proxy.hang()
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            ask(connection)
        proxy.heal()
        connection.settimeout(5)
        assert connection.recv(1024) == b"hello"


def test_a_stranded_connection_stays_silent_and_a_new_one_works(proxy):
    with connect(proxy) as old:
        assert ask(old) == b"hello"
        proxy.strand()
        old.settimeout(0.2)
        with pytest.raises(TimeoutError):
            ask(old)
    with connect(proxy) as new:
        assert ask(new) == b"hello"
