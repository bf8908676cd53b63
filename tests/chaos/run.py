"""A run of chaos from its first server to its verdict."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import closing as closed
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from api_schemas.errors import Unavailable
from client.api import Client
from storage.database import Database
from storage.tables import WorkerRow
from tests.chaos.agent import Agent, Strike
from tests.chaos.customers import Customer, Ledger
from tests.chaos.faults import schedule
from tests.chaos.judge import faults_found
from tests.chaos.logs import Logs, read_logs
from tests.chaos.pool import Reference, run_references
from tests.chaos.recovery import Recovery, recoveries
from tests.chaos.stage import Stage

_REST_SECONDS = 300.0
"""How long the last jobs may take once nothing is wrong any more."""
_LOOK_SECONDS = 0.25
_SAY_SECONDS = 10.0


@dataclass(frozen=True)
class Plan:
    """How a run is to be."""

    seed: int
    seconds: float
    """How long faults happen, at least."""
    jobs: int = 0
    """How many are accepted before the faults cease, at least."""
    lease_seconds: float = 4.0
    customers: int = 8
    """Each has one job at a time."""

    @property
    def slots(self) -> int:
        """How many jobs a worker trains at a time: two of the three have a place for every customer's job."""
        return (self.customers + 1) // 2


@dataclass(frozen=True)
class Outcome:
    """What came of a run."""

    plan: Plan
    began: float
    """Of the first order, in seconds since the epoch."""
    ceased: float
    """Of the last fault."""
    ended: float
    """When everything had come to rest."""
    strikes: list[Strike]
    skipped: int
    ledger: Ledger
    logs: Logs
    """Of all orders."""
    references: dict[str, Reference]
    recoveries: list[Recovery]
    broken: list[str]
    """What did not hold; empty is the point of it all."""


class _Register(threading.Thread):
    """Writes down which process each worker was, before one that leaves takes that along."""

    def __init__(self, database: Database) -> None:
        super().__init__(name="register", daemon=True)
        self._database = database
        self._over = threading.Event()
        self.pids: dict[str, int] = {}

    def run(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            try:
                with self._database.read() as session:
                    self.pids.update(session.execute(select(WorkerRow.id, WorkerRow.pid)).all())
            except Unavailable:
                continue

    def close(self) -> None:
        self._over.set()
        self.join()


def run(plan: Plan, folder: Path) -> Outcome:
    """Let customers and chaos loose on real servers, wait until all has come to rest, and judge.

    Args:
        plan: how.
        folder: for everything that the servers write.
    """
    stage = Stage(folder, lease_seconds=plan.lease_seconds, slots=plan.slots)
    with closed(stage), closed(_Register(stage.database)) as register:
        stage.start()
        register.start()
        with Client(stage.url) as client:
            references = run_references(client)
        agent, ledger, customers, closing = Agent(stage), Ledger(), [], threading.Event()
        began = time.time()

        said = 0.0

        def over() -> bool:
            nonlocal said
            elapsed = time.time() - began
            if elapsed - said > _SAY_SECONDS:
                said = elapsed
                _say(elapsed, ledger, len(agent.strikes))
            return elapsed >= plan.seconds and len(ledger.orders) >= plan.jobs

        for number in range(plan.customers):
            customers.append(Customer(number, stage.url, plan.seed, ledger, closing))
            customers[-1].start()
        agent.reign(schedule(plan.seed, plan.lease_seconds), over)
        ceased = time.time()
        closing.set()
        broken = ledger.complaints
        if not agent.attend(lambda: not any(customer.is_alive() for customer in customers), _REST_SECONDS):
            broken.append(f"{sum(customer.is_alive() for customer in customers)} customers still wait for their jobs")
        ended = time.time()
        logs = read_logs(stage.database)
        broken += faults_found(stage.database, stage.url, ledger.orders, references, logs)
        broken += [f"process {pid} is left behind" for pid in stage.drain()]
        ordered = {order.job_id: logs[order.job_id] for order in ledger.orders}
        return Outcome(
            plan=plan,
            began=began,
            ceased=ceased,
            ended=ended,
            strikes=agent.strikes,
            skipped=len(agent.skipped),
            ledger=ledger,
            logs=ordered,
            references=references,
            recoveries=recoveries(agent.strikes, ordered, register.pids),
            broken=broken,
        )


def _say(seconds: float, ledger: Ledger, faults: int) -> None:
    """Tell how far it is: a run may take hours."""
    ended = sum(order.end is not None for order in ledger.orders)
    counts = f"{ended:,} of {len(ledger.orders):,} jobs have ended, {faults:,} faults"
    print(f"{seconds:6.0f} s: {counts}, {len(ledger.complaints)} complaints", file=sys.stderr, flush=True)
