"""The broker is killed, stopped, emptied, full or cut off: submits are accepted, and every job runs once."""

from __future__ import annotations

import signal
import time
from contextlib import closing, contextmanager

import httpx
import pytest
from redis import Redis

from embedded.broker import answers, make_broker
from storage.queue import Waker
from storage.settings import Settings
from tests.chaos.proxy import Proxy
from tests.faults.scene import QUICK, start, submit, trained
from tests.following import finish, look
from tests.servers import wait_until


@pytest.fixture
def place(tmp_path):
    """Where a broker is that a test may break."""
    return Settings(home=tmp_path / "broker-home")


@pytest.fixture
def broker(place):
    """The broker there, not started."""
    server = make_broker(place.broker_socket, place.folder / "broker", place.folder / "broker.log")
    yield server
    server.kill()


@pytest.fixture
def one(deployment, place, broker):
    """A gateway and a worker of that broker."""
    return start(deployment(broker_url=_started(broker, place).broker, lease_seconds=3))


def _started(broker, place):
    broker.start()
    wait_until(lambda: answers(place.broker_socket), 30, "the broker")
    return place


@pytest.mark.faults
def test_a_job_submitted_while_it_is_away_starts_when_it_is_back(deployment, place, broker):
    one = deployment(broker_url=place.broker)
    one.start_gateway(wait=False)
    wait_until(lambda: _serves(one), 60, "the gateway")
    job = submit(one, QUICK)
    assert one.client.get("/readyz").status_code == 503
    _started(broker, place)
    one.start_worker()
    assert finish(one, job)["state"] == "succeeded"


@pytest.mark.faults
def test_killed_under_a_job_it_disturbs_nobody_and_what_was_submitted_meanwhile_runs(one, broker, place):
    long = submit(one)
    trained(one, long, 50)
    broker.signal(signal.SIGKILL)
    wait_until(lambda: broker.returncode is not None, what="its end")
    job = submit(one, QUICK)
    _started(broker, place)
    assert finish(one, job)["state"] == "succeeded"
    assert finish(one, long)["attempt"] == 1


@pytest.mark.faults
def test_down_for_a_minute_submits_and_reads_work_and_every_job_runs_once(one, broker, place):
    broker.signal(signal.SIGKILL)
    wait_until(lambda: broker.returncode is not None, what="its end")
    back_at, jobs = time.monotonic() + 60, []
    while time.monotonic() < back_at:
        jobs.append(submit(one, QUICK))
        assert look(one, jobs[-1])["id"] == jobs[-1]["id"]
        time.sleep(5)
    _started(broker, place)
    assert {finish(one, job)["attempt"] for job in jobs} == {1}


def test_stopped_it_keeps_no_submit_waiting(one, broker):
    broker.signal(signal.SIGSTOP)
    one.client.timeout = 10
    job = submit(one, QUICK)
    assert look(one, job)["name"] == job["name"]
    broker.signal(signal.SIGCONT)
    assert finish(one, job)["state"] == "succeeded"


@pytest.mark.faults
def test_full_it_keeps_no_submit_from_being_accepted(one, place):
    with Redis(unix_socket_path=str(place.broker_socket)) as redis, _full(redis):
        job = submit(one, QUICK)
    assert finish(one, job)["state"] == "succeeded"


@pytest.mark.faults
def test_a_connection_that_died_without_a_word_is_given_up_and_the_next_one_works(deployment, valkey, broker_url):
    one = deployment(lease_seconds=3)
    one.start_gateway()
    proxy = Proxy(valkey.address)
    one.start_worker(broker_url=f"redis://127.0.0.1:{proxy.port}/0")
    assert finish(one, submit(one, QUICK))["state"] == "succeeded"
    proxy.strand()
    assert finish(one, submit(one, QUICK))["state"] == "succeeded"


@pytest.mark.faults
def test_the_same_message_a_hundred_times_is_one_run(running):
    running.start_worker()
    with closing(Waker(running.settings.broker)) as waker:
        job = submit(running, QUICK)
        for _ in range(100):
            waker.wake("default")
        done = finish(running, job)
    assert [change["state"] for change in done["transitions"]] == ["queued", "running", "succeeded"]


@contextmanager
def _full(redis):
    """While this lasts it takes nothing more, and drops nothing."""
    (before,) = redis.config_get("maxmemory").values()
    redis.config_set("maxmemory", "1")
    yield
    redis.config_set("maxmemory", before)


def _serves(one):
    try:
        return one.client.get("/healthz").is_success
    except httpx.TransportError:
        return False
