"""The agent of chaos: makes the faults of a schedule happen, and lets them end."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from tests.chaos.faults import TRAINERS, Fault
from tests.chaos.stage import PROCESSES, WORKERS, Stage
from tests.servers import wait_until

_LOOK_SECONDS = 0.05
_ANSWERS_WITHIN = 60.0
_SIGNALS = {
    "kill": signal.SIGKILL,
    "terminate": signal.SIGTERM,
    "restart": signal.SIGINT,  # how PostgreSQL ends without waiting for its clients
    "stop": signal.SIGSTOP,
}


@dataclass
class Strike:
    """A fault that happened. Times are seconds since the epoch."""

    fault: Fault
    began: float
    pid: int | None = None
    """The process that it hit; of trainers, that of their worker."""
    ended: float | None = None
    """When nothing was wrong any more; a server that was killed answers by then."""


@dataclass
class Agent:
    """Strikes, on the thread that the stage's processes belong to.

    Attributes:
        strikes: all so far.
        skipped: faults that found nothing to hit, such as the trainer of a worker that is dead.
    """

    stage: Stage
    strikes: list[Strike] = field(default_factory=list)
    skipped: list[Fault] = field(default_factory=list)
    _lasting: list[tuple[float, Callable[[], None], Strike]] = field(default_factory=list)
    _waiting: list[threading.Thread] = field(default_factory=list)

    def reign(self, faults: Iterator[Fault], over: Callable[[], bool]) -> None:
        """Strike until it is over; then end every fault and wait until all that others depend on answers."""
        began, following = time.monotonic(), next(faults)
        while not over():
            while following.at <= time.monotonic() - began:
                self._strike(following)
                following = next(faults)
            self._relent(time.time())
            self.stage.keep()
            time.sleep(_LOOK_SECONDS)
        self._relent(float("inf"))
        self.attend(lambda: not any(thread.is_alive() for thread in self._waiting), _ANSWERS_WITHIN)

    def attend(self, done: Callable[[], bool], seconds: float) -> bool:
        """Start again what ends until a condition holds; False where it does not within so many seconds."""
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                return False
            self.stage.keep()
            time.sleep(_LOOK_SECONDS)
        return True

    def _strike(self, fault: Fault) -> None:
        strike = Strike(fault, time.time())
        if fault.target in self.stage.links:
            self._hit_link(strike)
        elif fault.target in TRAINERS:
            self._hit_trainer(strike)
        elif fault.kind == "forget":
            self._forget(strike)
        else:
            self._hit_server(strike)

    def _hit_link(self, strike: Strike) -> None:
        link = self.stage.links[strike.fault.target]
        match strike.fault.kind:
            case "cut":
                link.cut()
            case "hang":
                link.hang()
            case _:
                link.delay(strike.fault.seconds / 10)
        strike.pid = self._pid(strike.fault.target.rpartition("-")[0])
        self._lasts(strike, link.heal)

    def _hit_trainer(self, strike: Strike) -> None:
        worker = strike.fault.target.replace("trainer", "worker")
        trainers = self.stage.trainers(worker)
        if not trainers:
            self.skipped.append(strike.fault)
            return
        trainer = trainers[int(strike.fault.pick * len(trainers))]
        strike.pid = self._pid(worker)
        self._send(strike, lambda number: os.kill(trainer, number))

    def _hit_server(self, strike: Strike) -> None:
        server = self.stage.servers[strike.fault.target]
        if server.returncode is not None:
            self.skipped.append(strike.fault)
            return
        strike.pid = self._pid(strike.fault.target)
        if strike.fault.kind == "kill" and strike.fault.target == "postgres":
            server.kill()
            self._ends_with_an_answer(strike)
        else:
            self._send(strike, server.signal)

    def _send(self, strike: Strike, send: Callable[[signal.Signals], None]) -> None:
        def go_on() -> None:
            with suppress(ProcessLookupError):
                send(signal.SIGCONT)

        with suppress(ProcessLookupError):
            send(_SIGNALS[strike.fault.kind])
        if strike.fault.kind == "stop":
            self._lasts(strike, go_on)
        elif strike.fault.target in (*WORKERS, *TRAINERS):
            self._ends(strike)  # the others take over; none needs to wait for this one
        else:
            self._ends_with_an_answer(strike)

    def _forget(self, strike: Strike) -> None:
        try:
            self.stage.valkey.forget()
        except OSError:
            self.skipped.append(strike.fault)  # it is dead or hangs
            return
        self._ends(strike)

    def _lasts(self, strike: Strike, relent: Callable[[], None]) -> None:
        self.strikes.append(strike)
        self._lasting.append((strike.began + strike.fault.seconds, relent, strike))

    def _ends(self, strike: Strike) -> None:
        strike.ended = time.time()
        self.strikes.append(strike)

    def _ends_with_an_answer(self, strike: Strike) -> None:
        def wait() -> None:
            wait_until(lambda: self.stage.answers(strike.fault.target), _ANSWERS_WITHIN, strike.fault.target)
            strike.ended = time.time()

        time.sleep(_LOOK_SECONDS)  # a signal takes a moment to be obeyed, and until then the old one answers
        self.strikes.append(strike)
        self._waiting.append(threading.Thread(target=wait, name="until it answers"))
        self._waiting[-1].start()

    def _relent(self, now: float) -> None:
        for one in [one for one in self._lasting if one[0] <= now]:
            self._lasting.remove(one)
            _, relent, strike = one
            relent()
            strike.ended = time.time()

    def _pid(self, server: str) -> int | None:
        return self.stage.servers[server].pid if server in PROCESSES else None
