"""A PostgreSQL that hangs, or a network that swallows what is sent, holds nobody for ever."""

from __future__ import annotations

from contextlib import closing

import psycopg
import pytest
from sqlalchemy import make_url, text

from api_schemas.errors import Unavailable
from storage.database import Database
from storage.postgres import ImpatientConnection
from tests.chaos.proxy import Proxy


class Quick(ImpatientConnection):
    """The same in a hurry."""

    patience_seconds = 0.3


@pytest.fixture
def proxy(postgres):
    return Proxy(postgres.port)


@pytest.fixture
def url(proxy, postgres_url):
    """The database by way of the proxy."""
    return make_url(postgres_url).set(port=proxy.port).render_as_string(hide_password=False)


def connect(url):
    return Quick.connect(url.replace("+psycopg", ""), autocommit=True)


def test_a_server_that_does_not_answer_is_given_up_and_its_connection_is_not_used_again(proxy, url):
    with connect(url) as connection:
        proxy.hang()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
        assert connection.closed
    proxy.heal()
    with connect(url) as connection:
        assert connection.execute("SELECT 2").fetchone() == (2,)


def test_a_statement_that_fails_leaves_its_connection_open(url):
    with connect(url) as connection:
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SET statement_timeout = 50; SELECT pg_sleep(0.2)")
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_the_database_connects_impatiently(url):
    with closing(Database(url)) as database, database.read() as session:
        assert isinstance(session.connection().connection.dbapi_connection, ImpatientConnection)


@pytest.mark.verify
def test_a_database_that_hangs_is_unavailable_and_as_before_when_it_goes_on(proxy, url):
    with closing(Database(url)) as database:
        with database.read() as session:
            session.execute(text("SELECT 1"))
        proxy.hang()
        with pytest.raises(Unavailable) as refused, database.read() as session:
            session.execute(text("SELECT 1"))
        assert refused.value.retry_after_seconds
        proxy.heal()
        with database.read() as session:
            assert session.scalar(text("SELECT 2")) == 2
