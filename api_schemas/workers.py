"""Workers, health and keys: what an operator looks at."""

from __future__ import annotations

from typing import Literal

from api_schemas.base import Reply, Time

Device = Literal["cpu", "cuda", "mps"]
"""Where a network trains: on processors, on a GPU that speaks CUDA, or on Apple's."""


def devices_of(device: Device) -> list[Device]:
    """What jobs may ask for on a machine with this device: one with a GPU has a CPU too."""
    return ["cpu"] if device == "cpu" else [device, "cpu"]


class Worker(Reply):
    """A process that trains."""

    id: str
    object: Literal["worker"] = "worker"
    host: str
    pid: int
    device: Device
    slots: int
    """How many jobs it trains at a time."""
    queues: list[str]
    jobs: list[str]
    """What it trains now."""
    started_at: Time
    seen_at: Time
    online: bool
    """Whether it was heard of within its lease."""


class Health(Reply):
    """Whether a gateway can do its work."""

    status: Literal["ok", "unavailable"]
    checks: dict[str, str]
    """Each dependency: `ok`, or what is wrong with it."""


class ApiKey(Reply):
    """A key's record; the secret itself is shown once and never stored."""

    id: str
    object: Literal["api_key"] = "api_key"
    name: str
    project: str
    created_at: Time
    last_used_at: Time | None = None
