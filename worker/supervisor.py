"""The supervisor of one attempt: starts the trainer, stores what it says, passes orders on, and sees to its end."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
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
from training.events import Evaluation, Points
from worker import memory, verdicts
from worker.courtesy import Courtesy
from worker.messages import (
    Alive,
    Assignment,
    Done,
    Failed,
    FellBack,
    Kept,
    NotSaved,
    Order,
    OutOfMemory,
    Saved,
    Started,
    Stopped,
)
from worker.process import Child
from worker.record import Record
from worker.slots import Slot

log = structlog.get_logger()

TRAIN = "worker.trainer:train"
_LAST_SECONDS = 1.0
"""How long a trainer may take to obey a cancel, or to end after its last word, before it is killed."""
_LISTEN_SECONDS = 0.1
_RETRY_SECONDS = 0.5


class Supervisor:
    """Looks after one attempt, from claim to end.

    Args:
        database: where reports go.
        artifacts: where files go.
        settings: of the worker.
        draining: set when the worker shall stop.
        slot: where the job trains.
        claim: what to train.
        trainer: a child that waits for its assignment.
    """

    def __init__(
        self,
        database: Database,
        artifacts: Artifacts,
        settings: Settings,
        draining: threading.Event,
        slot: Slot,
        claim: Claim,
        trainer: Child,
    ) -> None:
        self._database, self._artifacts, self._settings = database, artifacts, settings
        self._draining, self._slot, self._claim, self._trainer = draining, slot, claim, trainer
        self._lease = claim.lease
        self._record = Record(database, artifacts, claim)
        self._courtesy = Courtesy(database, settings, slot, claim)
        self._beat_seconds = min(1.0, self._lease.seconds / 4)
        self._heard_at = time.monotonic()
        self._ending: Callable[[], None] | None = None
        self._order: Order | None = None
        self._given_back: str | None = None
        """Why the job shall wait for another worker."""
        self._kill_at = math.inf
        self._log = log.bind(job=claim.lease.job_id, attempt=claim.lease.attempt)

    def run(self) -> None:
        """Train the job until it ends, is stopped, or is another's."""
        self._log.info("attempt_started", from_step=self._claim.steps_done)
        try:
            with scratch_folder(self._settings, f"{self._lease.job_id}-") as folder:
                self._insist(self._record.begin)
                self._assign(folder)
                self._listen()
                self._insist(self._ending or self._crashed(verdicts.crashed(self._trainer.end(_LAST_SECONDS))))
        except LeaseLost:
            self._log.warning("lease_lost")
        finally:
            self._trainer.kill()
            self._trainer.end(0)

    def _assign(self, folder: Path) -> None:
        try:
            self._send(self._assignment(folder))
        except FileNotFoundError as error:
            self._log.error("file_gone", error=str(error))
            self._ending = lambda: self._fail(verdicts.FILE_GONE)

    def _assignment(self, folder: Path) -> Assignment:
        claim = self._claim
        return Assignment(
            job_id=self._lease.job_id,
            spec=claim.spec,
            dataset=claim.dataset,
            arrays=self._artifacts.path(claim.arrays_sha256) if claim.arrays_sha256 else None,
            checkpoints=[
                Kept(checkpoint.step, checkpoint.sha256, self._find(checkpoint.sha256))
                for checkpoint in claim.checkpoints
            ],
            init=self._artifacts.path(claim.init_sha256) if claim.init_sha256 else None,
            folder=folder,
            device=self._slot.device_for(claim.spec),
            gpu=self._slot.gpu,
            threads=self._slot.threads,
            memory_bytes=self._settings.trainer_memory_bytes,
            compiled=self._settings.compiled,
        )

    def _find(self, sha256: str) -> Path | None:
        try:
            return self._artifacts.path(sha256)
        except FileNotFoundError:
            return None

    def _listen(self) -> None:
        """Hear the trainer out, reporting as it speaks and at least once a second."""
        deadline = time.monotonic() + self._claim.spec.resources.max_seconds
        reported = self._heard_at = time.monotonic()
        while self._ending is None:
            alive = self._hear()
            if self._record.has_news or time.monotonic() - reported > self._beat_seconds:
                self._report()
                reported = time.monotonic()
            if not alive:
                return
            if self._ending is None:
                self._watch(deadline)

    def _hear(self) -> bool:
        """Take in what the trainer has said, for no longer than a beat if it never stops; False when it is gone."""
        if self._record.unreported >= self._settings.unreported_points:
            time.sleep(_RETRY_SECONDS)  # unheard, the trainer fills its pipe and waits
            self._heard_at = time.monotonic()
            return True
        try:
            patience, until = _LISTEN_SECONDS, time.monotonic() + self._beat_seconds
            while self._ending is None and time.monotonic() < until and self._trainer.line.poll(patience):
                self._take(self._trainer.line.recv())
                self._heard_at = time.monotonic()
                patience = 0.0
        except (EOFError, ConnectionError):
            return False
        return True

    def _watch(self, deadline: float) -> None:
        """End the attempt when a limit of time is over; stop it where its worker ends, or cannot say that it lives."""
        resources, now = self._claim.spec.resources, time.monotonic()
        if now > self._kill_at:
            self._ending = self._stop
        elif now > deadline:
            self._ending = lambda: self._fail(verdicts.timed_out(resources))
        elif now - self._heard_at > resources.max_silent_seconds:
            self._ending = self._crashed(verdicts.stuck(resources, self._record.steps_done))
        elif self._draining.is_set():
            self._give_back("its worker stopped; waiting for another")
        elif now - self._record.renewed_at > self._lease.seconds + self._settings.grace_seconds:
            self._give_back("its worker could not reach the database; waiting for one that can")
        if self._ending:
            self._trainer.kill()  # before another has the job

    def _take(self, message: object) -> None:
        match message:
            case Alive():
                pass
            case Started():
                self._record.started(message.environment)
            case Points():
                self._record.points(message)
            case Evaluation():
                self._record.evaluation(message)
            case Saved():
                self._record.checkpoint(message, self._report)
            case NotSaved():
                self._record.no_room(message.steps_done)
            case FellBack():
                self._insist(lambda: self._record.fall_back(message))
            case Done() | Failed() | OutOfMemory() | Stopped():
                self._ending = self._end_of(message)
            case _:
                raise TypeError(f"a trainer said {message!r}")

    def _end_of(self, last_word: Done | Failed | OutOfMemory | Stopped) -> Callable[[], None]:
        match last_word:
            case Done():
                return lambda: self._succeed(last_word)
            case Failed():
                return lambda: self._fail(last_word.error)
            case OutOfMemory():
                return lambda: self._out_of_memory(last_word)
            case Stopped():
                return self._stop

    def _report(self) -> None:
        """Store the news and obey what the answer says; with the database away, keep them and go on."""
        try:
            state = self._record.store()
        except Unavailable:
            self._log.warning("report_not_stored", points=self._record.unreported)
            return
        if state == "cancelling":
            self._tell("cancel", _LAST_SECONDS)
        elif state == "pausing":
            self._tell("checkpoint", self._settings.drain_seconds)
        elif self._order is None:
            self._make_way()

    def _make_way(self) -> None:
        """Free the slot for a job of higher priority, where this one allows that and is the one to do so."""
        try:
            reason = self._courtesy.reason(self._record.steps_done)
        except Unavailable:
            return
        if reason:
            self._give_back(reason)

    def _give_back(self, reason: str) -> None:
        """Have a checkpoint written and let another worker go on."""
        self._given_back = self._given_back or reason
        self._tell("checkpoint", self._settings.drain_seconds)

    def _tell(self, order: Order, patience_seconds: float) -> None:
        if self._order in (order, "cancel"):
            return
        self._order, self._kill_at = order, time.monotonic() + patience_seconds
        self._send(order)

    def _send(self, message: Assignment | Order) -> None:
        try:
            self._trainer.line.send(message)
        except ConnectionError:
            self._log.info("trainer_gone")  # listening to it tells how it ended

    def _insist(self, write: Callable[[], None]) -> None:
        """Write what must be written, for as long as the database is away or the disk full, and the lease is ours."""
        while True:
            try:
                return write()
            except Unavailable:
                time.sleep(_RETRY_SECONDS)

    def _succeed(self, done: Done) -> None:
        if self._record.store() == "cancelling":
            attempts.stop(self._database, self._lease)
            return
        model = self._record.model(done, self._report)
        attempts.succeed(
            self._database,
            self._lease,
            weights_sha256=done.weights_sha256,
            model_sha256=model.sha256,
            steps_done=done.steps_done,
        )
        self._log.info("job_succeeded", steps=done.steps_done)

    def _fail(self, error: JobError) -> None:
        self._record.store()
        attempts.fail(self._database, self._lease, error)
        self._log.info("job_failed", code=error.code, message=error.message)

    def _stop(self) -> None:
        """The trainer stopped because it was told to, or was too slow to do so and is killed."""
        self._record.store()
        if self._given_back and self._order == "checkpoint":
            attempts.release(self._database, self._lease, self._given_back)
        else:
            attempts.stop(self._database, self._lease)
        self._log.info("job_stopped", order=self._order)

    def _crashed(self, error: JobError) -> Callable[[], None]:
        def crash() -> None:
            self._record.store()
            attempts.crash(self._database, self._lease, error)
            self._log.warning("attempt_failed", code=error.code, message=error.message)

        return crash

    def _out_of_memory(self, told: OutOfMemory) -> None:
        spec = self._claim.spec
        plan = memory.plan_that_fits(spec, self._claim.dataset, told.room_bytes)
        error = memory.out_of_memory(told, spec, plan)
        if plan is None or spec.resources.out_of_memory == "fail":
            self._fail(error)
            return
        reason = f"{error.message}; trying again from the first step with {memory.batches(plan.spec.training)}"
        attempts.start_over(self._database, self._lease, plan, reason)
        self._log.warning("out_of_memory", batch_size=plan.spec.training.batch_size)
        self._record.forget_files()
