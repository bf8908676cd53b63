"""Keys open their project, and nothing of the secret is kept."""

from __future__ import annotations

from sqlalchemy import text

from storage.keys import any_key, create_key, list_keys, project_of, revoke_key


def test_a_key_opens_its_project_until_it_is_revoked(database):
    assert not any_key(database)
    key, secret = create_key(database, "laptop", "physics")
    assert secret.startswith("ann_")
    assert any_key(database)
    assert project_of(database, secret) == "physics"
    assert project_of(database, secret + "x") is None
    assert revoke_key(database, key.id)
    assert not revoke_key(database, key.id)
    assert project_of(database, secret) is None


def test_the_secret_is_stored_nowhere(database):
    _, secret = create_key(database, "laptop")
    with database.read() as session:
        rows = session.execute(text("SELECT * FROM api_keys")).all()
    assert secret not in str(rows)
    assert secret.removeprefix("ann_") not in str(rows)


def test_using_a_key_is_noted(database):
    _, secret = create_key(database, "laptop")
    assert list_keys(database)[0].last_used_at is None
    project_of(database, secret)
    assert list_keys(database)[0].last_used_at is not None
