"""The broker: messages that wake workers, and decide nothing."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from celery import Celery
    from celery.app.amqp import AMQP

log = structlog.get_logger()

WAKE = "anneal.wake"
"""Task: claim and train what this queue has."""
INSPECT = "anneal.inspect"
"""Task: read an uploaded dataset."""
ANSWER = "anneal.answer"
"""Task: do what is asked of a model."""
DATASETS = "datasets"
"""The queue that inspections go to; every worker serves it."""
MODELS = "models"
"""The queue that questions about models go to; every worker serves it."""

_SOCKET_TIMEOUTS = {"socket_timeout": 2.0, "socket_connect_timeout": 2.0}


def celery_name(queue_name: str) -> str:
    """What the broker calls one of our queues, so that a shared broker is no trouble."""
    return f"anneal.{queue_name}"


def redis_url(broker_url: str) -> str:
    """The broker's URL as the redis client writes it; kombu has a name of its own for a unix socket."""
    return broker_url.replace("redis+socket://", "unix://", 1)


def make_celery(broker_url: str, amqp: type[AMQP] | None = None) -> Celery:
    """A Celery application with the settings that a wake-up needs.

    Early ack and no results: a message is worth nothing once read. No prefetch: a busy worker hoards none.

    Args:
        broker_url: where the messages are.
        amqp: what makes its connections; by default Celery's own.
    """
    from celery import Celery  # noqa: PLC0415  # a sixth of a second, which the start of a gateway need not pay

    app = Celery("anneal", broker=broker_url, amqp=amqp, set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        task_acks_late=False,
        worker_disable_prefetch=True,
        worker_prefetch_multiplier=1,
        task_create_missing_queues=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=2.0,
        broker_transport_options={**_SOCKET_TIMEOUTS, "retry_on_timeout": False},
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
    )
    return app


class Waker:
    """Sends wake-ups from a thread of its own, so that a broker that hangs never holds up an answer.

    A wake-up that cannot be sent is dropped: the reconciler finds whoever waits too long.
    """

    def __init__(self, broker_url: str) -> None:
        self._broker_url = broker_url
        self._waiting: queue.Queue[tuple[str, str, tuple[Any, ...]] | None] = queue.Queue(maxsize=10_000)
        self._thread = threading.Thread(target=self._send_all, name="waker", daemon=True)
        self._thread.start()

    def wake(self, queue_name: str) -> None:
        """Tell the workers of a queue that there is something to claim."""
        self._put((WAKE, queue_name, ()))

    def inspect(self, dataset_id: str) -> None:
        """Tell the workers that a dataset waits to be read."""
        self._put((INSPECT, DATASETS, (dataset_id,)))

    def answer(self, task_id: str) -> None:
        """Tell the workers that something is asked of a model."""
        self._put((ANSWER, MODELS, (task_id,)))

    def close(self) -> None:
        """Send what is waiting, as far as that takes no more than two seconds, and end."""
        self._put(None)
        self._thread.join(timeout=2)

    def _put(self, message: tuple[str, str, tuple[Any, ...]] | None) -> None:
        try:
            self._waiting.put_nowait(message)
        except queue.Full:
            log.warning("wake_up_dropped", reason="10,000 are waiting for the broker")

    def _send_all(self) -> None:
        app: Celery | None = None
        while (message := self._waiting.get()) is not None:
            task, queue_name, arguments = message
            app = app or make_celery(self._broker_url)
            try:
                app.send_task(task, args=arguments, queue=celery_name(queue_name), retry=False, ignore_result=True)
            except Exception as error:  # noqa: BLE001  # whatever is wrong with the broker, the reconciler makes up for it
                log.warning("wake_up_not_sent", task=task, queue=queue_name, error=str(error))
