"""A worker is back soon after its broker, however long that was away."""

from __future__ import annotations

import pytest
from kombu.exceptions import OperationalError

from storage.queue import make_celery
from worker.reconnecting import Amqp


def test_a_broker_that_is_away_is_looked_for_every_second(tmp_path):
    waits = []
    app = make_celery(f"redis+socket://{tmp_path}/no.sock", Amqp)
    with app.connection_for_read() as connection, pytest.raises(OperationalError):
        connection.ensure_connection(lambda _error, seconds: waits.append(seconds), 2)
    assert waits
    assert set(waits) == {1}
