"""The judge: what must hold when everything has come to rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import httpx
from sqlalchemy import select

from api_schemas.jobs import TERMINAL
from storage.database import Database
from storage.tables import JobRow
from tests.chaos.customers import Order
from tests.chaos.logs import Happened, Logs
from tests.chaos.pool import Reference, Series, read_series

ALLOWED = {"train": {"succeeded"}, "pause": {"succeeded"}, "cancel": {"cancelled", "succeeded"}}
"""The end states of a job by what its customer wished; a cancel may come too late."""


def faults_found(
    database: Database, url: str, orders: Sequence[Order], references: Mapping[str, Reference], logs: Logs
) -> Iterator[str]:
    """Every invariant that is broken, as a sentence."""
    with database.read() as session:
        digests = dict(session.execute(select(JobRow.id, JobRow.weights_sha256)).all())
    yield from _lost_and_doubled(digests, orders, len(references))
    with httpx.Client(base_url=url, timeout=60, trust_env=False, verify=False) as http:
        for order in orders:
            if order.job_id in digests:
                yield from faults_of_life(order, logs[order.job_id])
                reference = references[order.name]
                succeeded = logs[order.job_id][-1].state == "succeeded"
                yield from faults_of_curves(order, read_series(http, order.job_id), reference.series, succeeded)
                if succeeded and digests[order.job_id] != reference.weights_sha256:
                    yield f"{order.job_id} ({order.name}): other weights than an undisturbed run has"


def _lost_and_doubled(stored: Mapping[str, object], orders: Sequence[Order], others: int) -> Iterator[str]:
    for order in orders:
        if order.job_id not in stored:
            yield f"{order.job_id} was accepted and is lost"
    if len(stored) != len(orders) + others:
        yield f"{len(stored)} jobs are stored, and {len(orders) + others} were accepted"


def faults_of_life(order: Order, log: Sequence[Happened]) -> Iterator[str]:
    """A job has ended once, as its customer may expect and was told."""
    states = [event.state for event in log if event.kind == "state"]
    if [event.number for event in log] != list(range(1, len(log) + 1)):
        yield f"{order.job_id}: its events are not numbered one by one"
    for attempt in _attempts(log):
        evaluations = [event.step for event in attempt if event.kind == "evaluation"]
        if len(set(evaluations)) < len(evaluations):
            yield f"{order.job_id}: an attempt told an evaluation twice"
    ends = [state for state in states if state in TERMINAL]
    if len(ends) != 1 or states[-1] not in TERMINAL:
        yield f"{order.job_id}: its states were {', '.join(states)}"
    elif ends[0] not in ALLOWED[order.wish]:
        yield f"{order.job_id}: {ends[0]}, and its customer wished to {order.wish}"
    elif order.end not in (None, ends[0]):
        yield f"{order.job_id}: its customer saw {order.end}, and it {ends[0]}"


def _attempts(log: Sequence[Happened]) -> list[Sequence[Happened]]:
    """The events of each attempt."""
    begins = [place for place, event in enumerate(log) if event.kind == "attempt"]
    return [log[begin:end] for begin, end in pairwise([*begins, len(log)])]


def faults_of_curves(order: Order, series: Series, reference: Series, succeeded: bool) -> Iterator[str]:
    """A curve is that of the undisturbed run: all of it, or of a cancelled job as much as there is."""
    if succeeded and series.keys() != reference.keys():
        yield f"{order.job_id} ({order.name}): its series are {sorted(series)}"
    for key, (steps, values) in series.items():
        whole, right = reference.get(key, ([], []))
        count = len(whole) if succeeded else len(steps)
        if steps != whole[:count]:
            yield f"{order.job_id} ({order.name}): {key} has a gap or a twin among its steps"
        elif values != right[:count]:
            wrong = next(step for step, value, other in zip(steps, values, right, strict=False) if value != other)
            yield f"{order.job_id} ({order.name}): {key} differs from step {wrong} on"
