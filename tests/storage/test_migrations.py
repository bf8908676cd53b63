"""The history leads from empty to what the code expects, on both databases."""

from __future__ import annotations

from alembic import command
from alembic.script import ScriptDirectory

from storage.database import Database
from storage.migrations import config, current, newest, upgrade


def test_an_empty_database_comes_up_to_date_and_agrees_with_the_tables(database_url):
    assert current(Database(database_url)) is None
    upgrade(database_url)
    assert current(Database(database_url)) == newest()
    command.check(config(database_url))


def test_upgrading_twice_changes_nothing(database_url):
    upgrade(database_url)
    upgrade(database_url)
    assert current(Database(database_url)) == newest()


def test_the_newest_file_is_the_head_of_the_history(sqlite_url):
    assert ScriptDirectory.from_config(config(sqlite_url)).get_heads() == [newest()]
