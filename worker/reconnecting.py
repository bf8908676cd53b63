"""The worker's connection to the broker, which is back soon after the broker is."""

from __future__ import annotations

from typing import Any, Self

from celery.app.amqp import AMQP

_EVERY_SECOND = {"interval_start": 1, "interval_step": 0, "interval_max": 1}


class Reconnecting(AMQP.Connection):
    """Looks for a broker that is away every second; Celery would wait longer each time, up to half a minute."""

    def ensure_connection(self, *args: Any, **kwargs: Any) -> Self:
        """Wait until there is a connection."""
        super().ensure_connection(*args, **_EVERY_SECOND | kwargs)
        return self


class Amqp(AMQP):
    """Celery's part that makes connections, with ours."""

    Connection = Reconnecting
