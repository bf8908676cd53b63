"""A worker process from start to end."""

from __future__ import annotations

import os
import signal
import socket
import threading

import structlog
from celery import signals

from api_schemas.errors import Unavailable
from api_schemas.ids import new_id
from storage import migrations, workers
from storage.artifacts import open_artifacts
from storage.database import Database
from storage.garbage import keep_sweeping
from storage.logs import configure_logs
from storage.queue import DATASETS, MODELS, Waker, celery_name, make_celery
from storage.reconcile import ROUND_SECONDS, reconcile
from storage.scratch import sweep_scratch
from storage.settings import Settings
from storage.workers import WorkerIdentity
from worker.lookout import Lookout
from worker.models import Desk
from worker.process import Spares, cool_down, warm_up
from worker.reconnecting import Amqp
from worker.slots import Slots, find_slots
from worker.supervisor import TRAIN
from worker.tasks import Workplace, register_tasks

log = structlog.get_logger()

_LOOK_SECONDS = 0.1
"""How often a worker looks whether its database is ready for it."""
_MOST_SPARES = 4
"""Trainers that stand ready: some megabytes of memory each, for jobs that come at once."""
_SPARE_THREADS = 4
"""For reading datasets, for questions about models, and for wake-ups that find every slot taken."""


def run() -> None:
    """Serve the queues of the environment's settings until a SIGTERM."""
    settings = Settings()
    configure_logs(settings)
    sweep_scratch(settings)
    database = Database(settings.database)
    artifacts, slots = open_artifacts(settings.artifacts), Slots(find_slots(settings))
    place = Workplace(
        id=new_id("wrk"),
        settings=settings,
        database=database,
        artifacts=artifacts,
        slots=slots,
        trainers=Spares(TRAIN),
        desk=Desk(database, artifacts, settings, slots.all[0].threads),
        draining=threading.Event(),
        retiring=threading.Event(),
    )
    identity = WorkerIdentity(
        id=place.id,
        host=socket.gethostname(),
        pid=os.getpid(),
        device=place.slots.all[0].device,
        slots=len(place.slots.all),
        queues=settings.queue_names,
    )
    app = make_celery(settings.broker, Amqp)
    register_tasks(app, place)
    lookout = Lookout(place)
    beating = threading.Thread(target=_beat, args=(place, identity, lookout), name="beat", daemon=True)
    sweeping = threading.Thread(
        target=keep_sweeping,
        args=(database, artifacts, settings, place.id, place.draining),
        name="sweeper",
        daemon=True,
    )

    @signals.worker_ready.connect(weak=False)
    def ready(**_: object) -> None:  # pyright: ignore[reportUnusedFunction]
        warm_up()
        place.trainers.keep_ready(min(len(slots.all), _MOST_SPARES))
        beating.start()
        sweeping.start()

    @signals.worker_shutting_down.connect(weak=False)
    def drain(**_: object) -> None:  # pyright: ignore[reportUnusedFunction]
        place.draining.set()

    names = ",".join(celery_name(queue) for queue in [*settings.queue_names, DATASETS, MODELS])
    threads = len(place.slots.all) + _SPARE_THREADS
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=warning"]
    app.worker_main(["worker", "--pool=threads", f"--concurrency={threads}", "-Q", names, *quiet])
    lookout.close()
    place.trainers.end()
    place.desk.end()
    cool_down()
    workers.leave(database, place.id)


def _beat(place: Workplace, identity: WorkerIdentity, lookout: Lookout) -> None:
    """Say that this worker is there, put right what others left lying, and look for work."""
    lease = place.settings.lease_seconds
    every = min(ROUND_SECONDS, lease / 4)
    waker = Waker(place.settings.broker)
    arrived = False
    while not place.draining.wait(every if arrived else _LOOK_SECONDS):
        try:
            if migrations.is_ahead(schema := migrations.current(place.database)):
                _retire(place, schema)
            if not arrived:
                arrived = _arrive(place, identity, waker)
            else:
                arrived = workers.stay(place.database, identity, lease)
                reconcile(place.database, waker, identity.id, ROUND_SECONDS)
                lookout.look()
        except Unavailable as error:
            log.warning("database_away", error=error.detail)
        except Exception:  # one bad round must not silence a worker for good
            log.exception("beat_failed")


def _retire(place: Workplace, schema: str | None) -> None:
    """Claim nothing more, as the database has become a newer version's; end once all that trains here has ended."""
    if not place.retiring.is_set():
        log.error("worker_is_too_old", reason=migrations.what_differs(schema))
        place.retiring.set()
    if place.slots.idle:
        os.kill(os.getpid(), signal.SIGTERM)


def _arrive(place: Workplace, identity: WorkerIdentity, waker: Waker) -> bool:
    """Take up work, once the database has the schema that this code needs; then look for what waits already."""
    has, needs = migrations.current(place.database), migrations.newest()
    if has != needs:
        log.warning("schema_differs", has=has, needs=needs)
        return False
    workers.arrive(place.database, identity, place.settings.lease_seconds)
    for queue in identity.queues:
        waker.wake(queue)
    return True
