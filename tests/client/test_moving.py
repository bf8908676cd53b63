"""The commands that carry the database elsewhere, as an operator uses them."""

from __future__ import annotations

from tests.client.test_command import command


def test_the_database_moves_to_another_and_the_next_command_finds_everything_there(postgres_url, tmp_path):
    home = {"ANNEAL_HOME": str(tmp_path)}
    secret = command("keys", "create", "somebody", **home).stdout
    assert secret.startswith("ann_")
    moved = command("migrate-database", "--to", postgres_url, **home)
    assert (moved.returncode, "api_keys\t1\t" in moved.stdout) == (0, True)
    assert "somebody" in command("keys", "ls", ANNEAL_DATABASE_URL=postgres_url, **home).stdout
    again = command("migrate-database", "--to", postgres_url, **home)
    assert again.returncode == 1
    assert "is not empty: it has rows in api_keys" in again.stderr


def test_what_is_no_url_of_a_database_is_said_so(tmp_path):
    refused = command("migrate-database", "--to", "db.example.org", ANNEAL_HOME=str(tmp_path))
    assert refused.returncode == 1
    assert "begins with postgresql+psycopg:// or sqlite:///" in refused.stderr
