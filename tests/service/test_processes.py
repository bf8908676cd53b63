"""Several processes behind one port."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable

import httpx

from tests.servers import Deployment, descendants, is_alive, wait_until


def test_two_processes_answer_at_one_port_one_that_dies_is_replaced_and_none_outlives_the_gateway(
    deployment: Callable[..., Deployment],
) -> None:
    one = deployment(gateway_processes=2)
    gateway = one.start_gateway()
    first = set(descendants(gateway.pid))
    assert len(first) == 2
    for _ in range(20):
        assert httpx.get(f"{one.url}/v1/jobs", trust_env=False).status_code == 200
    assert _answered(one) == 20, "what both answered is counted together"

    victim = min(first)
    os.kill(victim, signal.SIGKILL)

    wait_until(lambda: len(set(descendants(gateway.pid)) - {victim}) == 2, 10, "another process")
    other = (first - {victim}).pop()
    os.kill(other, signal.SIGSTOP)  # so that only the new one can answer
    assert wait_until(lambda: _says(one), 10, "the new process's answer") == 200
    os.kill(other, signal.SIGCONT)

    left = descendants(gateway.pid)
    gateway.signal(signal.SIGTERM)
    wait_until(lambda: gateway.returncode is not None, 10, "the gateway's end")
    assert gateway.returncode == 0
    assert not [pid for pid in left if is_alive(pid)]


def _answered(one: Deployment) -> int:
    said = httpx.get(f"{one.url}/metrics", trust_env=False).text
    found = re.search(r'anneal_requests_total\{method="GET",route="/v1/jobs",status="200"\} ([\d.]+)', said)
    return int(float(found[1])) if found else 0


def _says(one: Deployment) -> int | None:
    """What is answered to a new connection, which either process may take."""
    try:
        return httpx.get(f"{one.url}/v1/jobs", timeout=0.5, trust_env=False).status_code
    except httpx.TransportError:
        return None
