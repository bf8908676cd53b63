"""Slots: how many jobs this machine trains at a time, and what device and threads each has."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from api_schemas.jobs import JobSpec
from api_schemas.workers import Device, devices_of
from storage.settings import Settings


@dataclass(frozen=True)
class Slot:
    """A place for one job."""

    number: int
    device: Device
    """What a job that does not care runs on here."""
    threads: int
    gpu: str | None = None
    """Its `CUDA_VISIBLE_DEVICES`, where it has one."""

    @property
    def devices(self) -> Sequence[Device]:
        """What jobs may ask for here."""
        return devices_of(self.device)

    def device_for(self, spec: JobSpec) -> Device:
        """Where a job trains that this slot has claimed; Apple's GPUs have no float64."""
        asked = spec.resources.device
        if asked != "auto":
            return asked
        return "cpu" if self.device == "mps" and spec.training.precision == "float64" else self.device


class Slots:
    """The slots of a worker, and the rule that a wake-up is never lost between them."""

    def __init__(self, slots: list[Slot]) -> None:
        self.all = slots
        self._free = list(reversed(slots))
        self._wakes = 0
        self._lock = threading.Lock()

    def work(self, train_one: Callable[[Slot], bool]) -> None:
        """Answer a wake-up: with a free slot, train one job after another until none is left.

        With no free slot there is nothing to do: whoever ends a job looks for the next one by itself, and one more
        time if a wake-up came while it found nothing.

        Args:
            train_one: claims and trains a job on a slot; False where there was none.
        """
        with self._lock:
            self._wakes += 1
        while slot := self._take():
            wakes = self._wakes
            try:
                while train_one(slot):
                    wakes = self._wakes
            finally:
                with self._lock:
                    self._free.append(slot)
            if wakes == self._wakes:
                return

    @property
    def free(self) -> int:
        """How many slots train nothing."""
        with self._lock:
            return len(self._free)

    @property
    def idle(self) -> bool:
        """Whether no slot trains anything."""
        return self.free == len(self.all)

    def _take(self) -> Slot | None:
        with self._lock:
            return self._free.pop() if self._free else None


def find_slots(settings: Settings) -> list[Slot]:
    """One slot for each GPU; without any, one for each two cores; or as many as the operator asks for."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    gpus = _gpus()
    device: Device = "cuda" if gpus else "mps" if _has_apple_gpu() else "cpu"
    count = settings.workers or len(gpus) or (1 if device == "mps" else max(1, cores // 2))
    threads = settings.threads or max(1, cores // count)
    return [Slot(number, device, threads, gpus[number % len(gpus)] if gpus else None) for number in range(count)]


def has_gpu() -> bool:
    """Whether there is one to train on."""
    return bool(_gpus()) or _has_apple_gpu()


def _has_apple_gpu() -> bool:
    """Whether this is one of Apple's own processors, each of which has a GPU beside it."""
    return platform.system() == "Darwin" and platform.machine() == "arm64"


def _gpus() -> list[str]:
    """The GPUs that this process may use, without waking CUDA up in it: a trainer forked later could not use it."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name and name != "-1"]
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    listed = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=30, check=False)  # noqa: S603
    found = [line for line in listed.stdout.splitlines() if line.startswith("GPU ")]
    return [str(number) for number in range(len(found))]
