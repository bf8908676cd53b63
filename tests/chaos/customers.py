"""The customers: threads that submit jobs, follow, pause and cancel them, and write down what they were told."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

import httpx

from api_schemas.errors import AnnealError, Conflict
from api_schemas.jobs import Job
from client.api import Client
from tests.chaos.pool import LONG, POOL

Wish = Literal["train", "pause", "cancel"]
_WISHES: dict[Wish, int] = {"train": 8, "pause": 1, "cancel": 1}
_PATIENCE = 60
"""Tries of a call beyond the first: minutes, which no fault lasts."""
_LOOK_SECONDS = 0.3
_SECONDS_TO_A_CHANGE_OF_MIND = 2.0


@dataclass
class Order:
    """A job that a customer was told is accepted."""

    job_id: str
    name: str
    """In the pool."""
    wish: Wish
    accepted: float
    """Seconds since the epoch."""
    end: str | None = None
    """The end state that the customer saw."""


@dataclass
class Ledger:
    """What all customers were told.

    Attributes:
        orders: every job that was accepted.
        answers: how often each status was answered; 0 counts requests that got none.
        complaints: what no customer should see.
    """

    orders: list[Order] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answered(self, request: httpx.Request, response: httpx.Response | None) -> None:
        """Count an answer; one that blames the server and does not say when to come back is a complaint."""
        with self._lock:
            self.answers[response.status_code if response else 0] += 1
        if response is not None and response.is_server_error and "Retry-After" not in response.headers:
            self.complain(f"{request.method} {request.url.path} was answered {response.status_code}")

    def complain(self, text: str) -> None:
        """Write down what must not happen."""
        with self._lock:
            self.complaints.append(text)


class Witness(httpx.BaseTransport):
    """The network, with a ledger that hears every answer."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._network = httpx.HTTPTransport(verify=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            response = self._network.handle_request(request)
        except httpx.TransportError:
            self._ledger.answered(request, None)
            raise
        self._ledger.answered(request, response)
        return response

    def close(self) -> None:
        self._network.close()


class Customer(threading.Thread):
    """Orders one job after another, and sees each through, until closing time.

    Args:
        number: tells customers apart.
        url: of the gateway.
        seed: of the run.
        ledger: shared by all.
        closing: when set, no more orders.
    """

    def __init__(self, number: int, url: str, seed: int, ledger: Ledger, closing: threading.Event) -> None:
        super().__init__(name=f"customer-{number}", daemon=True)
        self._url, self._ledger, self._closing = url, ledger, closing
        self._draw = random.Random(f"{seed} {number}")

    def run(self) -> None:
        with Client(self._url, retries=_PATIENCE, transport=Witness(self._ledger)) as client:
            while not self._closing.is_set():
                try:
                    self._order(client)
                except AnnealError as error:
                    self._ledger.complain(f"{type(error).__name__}: {error}")

    def _order(self, client: Client) -> None:
        name = self._draw.choices(list(POOL), [1 if name == LONG else 3 for name in POOL])[0]
        wish = self._draw.choices(list(_WISHES), list(_WISHES.values()))[0]
        spec = POOL[name]
        job = client.jobs.create(
            spec | {"name": name, "resources": spec["resources"] | {"priority": self._draw.randint(-5, 5)}}
        )
        order = Order(job.id, name, wish, time.time())
        self._ledger.orders.append(order)
        if wish != "train":
            time.sleep(self._draw.uniform(0, _SECONDS_TO_A_CHANGE_OF_MIND))
            (_pause_and_resume if wish == "pause" else _cancel)(client, job.id)
        follow = self._draw.choice([self._stream, self._poll, _wait])
        order.end = follow(client, job.id).state

    def _stream(self, client: Client, job_id: str) -> Job:
        """Hear every event as it happens."""
        heard = [event.id for event in client.jobs.events(job_id)]
        if heard != list(range(1, len(heard) + 1)):
            self._ledger.complain(f"{job_id}: the stream of events has a gap or a twin: {heard}")
        job = client.jobs.get(job_id)
        if not job.terminal:
            self._ledger.complain(f"{job_id}: the stream of events ended, and the job is {job.state}")
        return job

    def _poll(self, client: Client, job_id: str) -> Job:
        """Look again and again; what was stored may not be taken back."""
        job = client.jobs.get(job_id)
        while not job.terminal:
            time.sleep(_LOOK_SECONDS)
            before, job = job, client.jobs.get(job_id)
            if job.version < before.version:
                self._ledger.complain(f"{job_id}: version {before.version} became {job.version}")
        return job


def _wait(client: Client, job_id: str) -> Job:
    return client.jobs.wait(job_id)


def _cancel(client: Client, job_id: str) -> None:
    client.jobs.cancel(job_id)


def _pause_and_resume(client: Client, job_id: str) -> None:
    try:
        job = client.jobs.pause(job_id)
    except Conflict:
        return  # it had ended
    while not job.terminal and job.state != "queued":
        time.sleep(_LOOK_SECONDS)
        try:
            job = client.jobs.resume(job_id)
        except Conflict:
            job = client.jobs.get(job_id)  # still on its way to the pause, or at its end
