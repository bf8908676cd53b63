"""The supervisor of a trainer: starts it, stores what it says of its jobs, passes orders on, and sees to its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import structlog

from api_schemas.errors import Unavailable
from api_schemas.jobs import JobError
from storage import attempts
from storage.artifacts import Artifacts
from storage.attempts import Claim, LeaseLost
from storage.database import Database
from storage.scratch import scratch_folder
from storage.settings import Settings
from worker import verdicts
from worker.attempt import LAST_SECONDS, RETRY_SECONDS, Attempt
from worker.courtesy import Courtesy
from worker.messages import Alive, Assignment, FellBack, Kept, Order, Ordered, OutOfMemory, Said, Task
from worker.process import Child
from worker.slots import Slot

log = structlog.get_logger()

TRAIN = "worker.trainer:train"
_LISTEN_SECONDS = 0.1
_LINGER_SECONDS = 0.005
"""How long is waited for what else a trainer of several jobs has to say: they mostly speak together, and are stored
together then."""

_REST = 4.0
"""How many times as long as a report took the next one waits: that of many jobs takes as long as they are many, and the
processor is theirs."""


class Supervisor:
    """Looks after one trainer and the attempts that it is busy with, from claim to end.

    Args:
        database: where reports go.
        artifacts: where files go.
        settings: of the worker.
        draining: set when the worker shall stop.
        slot: where the jobs train.
        claims: what to train, together.
        trainer: a child that waits for its assignment.
    """

    def __init__(
        self,
        database: Database,
        artifacts: Artifacts,
        settings: Settings,
        draining: threading.Event,
        slot: Slot,
        claims: Sequence[Claim],
        trainer: Child,
    ) -> None:
        self._database, self._artifacts, self._settings = database, artifacts, settings
        self._draining, self._slot, self._trainer = draining, slot, trainer
        self._attempts = {claim.lease.job_id: self._attempt(claim) for claim in claims}
        """Those whose ends are not yet stored."""
        self._courtesy = Courtesy(database, settings, slot)
        self._beat_seconds = min(1.0, claims[0].lease.seconds / 4)
        self._heard_at = time.monotonic()
        self._report_at = 0.0

    def run(self) -> None:
        """Train until all jobs have ended, were stopped, or are another's."""
        try:
            with scratch_folder(self._settings, f"{next(iter(self._attempts))}-") as folder:
                self._begin()
                if self._attempts:
                    self._assign(folder)
                while self._attempts:
                    self._go_on()
        finally:
            self._trainer.kill()
            self._trainer.end(0)

    def _attempt(self, claim: Claim) -> Attempt:
        job_id = claim.lease.job_id
        return Attempt(self._database, self._artifacts, self._settings, claim, partial(self._order, job_id))

    def _begin(self) -> None:
        for attempt in list(self._attempts.values()):
            attempt.log.info("attempt_started", from_step=attempt.claim.steps_done)
            self._insist(attempt, attempt.record.begin)

    @property
    def _training(self) -> list[Attempt]:
        return [attempt for attempt in self._attempts.values() if attempt.trains]

    def _assign(self, folder: Path) -> None:
        """Tell the trainer what to do; what nobody can, as its files are gone, fails."""
        together = list(self._attempts.values())
        claim = together[0].claim
        try:
            arrays = self._artifacts.path(claim.arrays_sha256) if claim.arrays_sha256 else None
        except FileNotFoundError as error:
            for attempt in together:
                attempt.file_gone(error)
            return
        tasks = [task for attempt in together if (task := self._task(attempt))]
        if tasks:
            self._send(self._assignment(claim, arrays, tasks, folder))
        self._heard_at = time.monotonic()

    def _assignment(self, claim: Claim, arrays: Path | None, tasks: list[Task], folder: Path) -> Assignment:
        return Assignment(
            tasks=tasks,
            dataset=claim.dataset,
            arrays=arrays,
            folder=folder,
            device=self._slot.device_for(claim.spec),
            gpu=self._slot.gpu,
            threads=self._slot.threads,
            memory_bytes=self._settings.trainer_memory_bytes,
            compiled=self._settings.compiled,
        )

    def _task(self, attempt: Attempt) -> Task | None:
        claim = attempt.claim
        try:
            init = self._artifacts.path(claim.init_sha256) if claim.init_sha256 else None
        except FileNotFoundError as error:
            attempt.file_gone(error)
            return None
        attempt.start_clock()
        kept = [Kept(one.step, one.sha256, self._find(one.sha256)) for one in claim.checkpoints]
        return Task(claim.lease.job_id, claim.spec, kept, init)

    def _find(self, sha256: str) -> Path | None:
        try:
            return self._artifacts.path(sha256)
        except FileNotFoundError:
            return None

    def _go_on(self) -> None:
        """Hear the trainer out, watch the limits, and report as it speaks and at least once a second."""
        if self._training and not self._hear() and self._training:
            self._end_all(verdicts.crashed(self._trainer.end(LAST_SECONDS)))
        if self._training:
            self._watch()
        for attempt in list(self._attempts.values()):
            attempt.conclude(self._report)
        if time.monotonic() >= self._report_at or not self._training:
            self._report()
        if self._attempts and not self._training:
            time.sleep(RETRY_SECONDS)  # the database is away, or the disk full

    def _hear(self) -> bool:
        """Take in what the trainer has said, for no longer than a beat if it never stops; False when it is gone."""
        unreported = sum(attempt.record.unreported for attempt in self._attempts.values())
        if unreported >= self._settings.unreported_points:
            time.sleep(RETRY_SECONDS)  # unheard, the trainer fills its pipe and waits
            self._heard_at = time.monotonic()
            return True
        linger = _LINGER_SECONDS if len(self._attempts) > 1 else 0.0
        try:
            patience, until = _LISTEN_SECONDS, time.monotonic() + self._beat_seconds
            while self._training and time.monotonic() < until and self._trainer.line.poll(patience):
                self._take(self._trainer.line.recv())
                self._heard_at = time.monotonic()
                patience = linger
        except (EOFError, ConnectionError):
            return False
        return True

    def _take(self, message: object) -> None:
        match message:
            case Alive():
                pass
            case OutOfMemory():
                training = self._training
                for attempt in training:
                    attempt.out_of_memory(message, len(training) - 1)
            case Said():
                attempt = self._attempts.get(message.job_id)
                if attempt is None or not attempt.trains:
                    return  # it was told to leave, and has not yet heard that
                if isinstance(message.word, FellBack):
                    self._insist(attempt, partial(attempt.record.fall_back, message.word))
                else:
                    attempt.take(message, self._report)
            case _:
                raise TypeError(f"a trainer said {message!r}")

    def _watch(self) -> None:
        """End what is over its limits; with the last of its attempts the trainer ends, before another has the job."""
        training, now = self._training, time.monotonic()
        least = min(training, key=lambda attempt: attempt.max_silent_seconds)
        if now - self._heard_at > least.max_silent_seconds:
            furthest = max(attempt.record.steps_done for attempt in training)
            self._end_all(verdicts.stuck(least.claim.spec.resources, furthest))
        for attempt in self._training:
            attempt.watch(now, self._draining.is_set())
        if not self._training:
            self._trainer.kill()
            return
        for attempt in training:
            if not attempt.trains:
                self._order(attempt.claim.lease.job_id, "cancel")

    def _end_all(self, error: JobError) -> None:
        """The trainer is of no more use: whose fault that was nobody knows where it trained several."""
        training = self._training
        for attempt in training:
            attempt.crash(error, len(training) - 1)

    def _report(self) -> None:
        """Store the news and obey what the answers say; with the database away, keep them and go on."""
        speakers = [attempt for attempt in self._attempts.values() if attempt.has_word(self._beat_seconds)]
        if not speakers:
            return
        asked_at = time.monotonic()
        words = [attempt.word() for attempt in speakers]
        try:
            states = attempts.report_together(self._database, words)
        except Unavailable:
            points = sum(attempt.record.unreported for attempt in speakers)
            log.warning("report_not_stored", jobs=list(self._attempts), points=points)
            self._report_at = time.monotonic() + RETRY_SECONDS
            return
        for attempt, word, state in zip(speakers, words, states, strict=True):
            if state is None:
                self._let_go(attempt)
                continue
            attempt.stored(asked_at, state)
            if word.ending:
                del self._attempts[attempt.claim.lease.job_id]
        self._report_at = time.monotonic() + min(self._beat_seconds, _REST * (time.monotonic() - asked_at))
        self._make_way()

    def _let_go(self, attempt: Attempt) -> None:
        """Another attempt has the job."""
        attempt.log.warning("lease_lost")
        del self._attempts[attempt.claim.lease.job_id]
        self._order(attempt.claim.lease.job_id, "cancel")

    def _make_way(self) -> None:
        """Free the slot for a job of higher priority, where those that train allow that and are the ones to do so.

        Of jobs that train together all may be interrupted or none; the youngest asks for them.
        """
        able = [attempt for attempt in self._training if attempt.may_be_told]
        if not able:
            return
        asks = max(able, key=lambda attempt: attempt.claim.lease.job_id)
        try:
            reason = self._courtesy.reason(asks.claim, asks.record.steps_done)
        except Unavailable:
            return
        if reason:
            asks.give_back(reason)
            for attempt in able:
                attempt.give_back("made way for a job of higher priority; waiting for a worker")

    def _order(self, job_id: str, order: Order) -> None:
        self._send(Ordered(job_id, order))

    def _send(self, message: Assignment | Ordered) -> None:
        try:
            self._trainer.line.send(message)
        except ConnectionError:
            log.info("trainer_gone", jobs=list(self._attempts))  # listening to it tells how it ended

    def _insist(self, attempt: Attempt, write: Callable[[], None]) -> None:
        """Write what must be written, for as long as the database is away or the disk full, and the lease is ours."""
        while True:
            try:
                return write()
            except Unavailable:
                time.sleep(RETRY_SECONDS)
            except LeaseLost:
                return self._let_go(attempt)
