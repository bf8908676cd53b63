"""An attempt, one of those that a trainer is busy with: what is heard of it, what it was told, and how it ends."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial

import structlog
from sqlalchemy.orm import Session

from api_schemas.errors import DiskFull
from api_schemas.jobs import JobError, JobState
from storage import endings
from storage.artifacts import Artifacts
from storage.attempts import Claim, Word
from storage.database import Database
from storage.endings import Ending
from storage.settings import Settings
from storage.tables import JobRow
from training.events import Evaluation, Points
from worker import memory, verdicts
from worker.messages import Done, Failed, NotSaved, Order, OutOfMemory, Said, Saved, Started, Stopped
from worker.record import Record

LAST_SECONDS = 1.0
"""How long a trainer may take to obey a cancel, or to end after its last word, before it is killed."""
RETRY_SECONDS = 0.5
"""How often is tried again what the database or a full disk did not take."""


class Attempt:
    """One attempt, from claim to end.

    Args:
        database: where reports go.
        artifacts: where files go.
        settings: of the worker.
        claim: what to train.
        send: passes an order on to the trainer.

    Attributes:
        record: what was heard and is not yet stored.
        ending: what becomes of the job, once that is known.
    """

    def __init__(
        self,
        database: Database,
        artifacts: Artifacts,
        settings: Settings,
        claim: Claim,
        send: Callable[[Order], None],
    ) -> None:
        self._settings, self.claim, self._send = settings, claim, send
        self.record = Record(database, artifacts, claim)
        self.ending: Ending | None = None
        self._done: Done | None = None
        self._try_at = 0.0
        """When the model's file is stored, or tried again."""
        self._forget = False
        """Whether nobody needs its checkpoints any more."""
        self._order: Order | None = None
        self._given_back: str | None = None
        """Why the job shall wait for another worker."""
        self._stop_at = math.inf
        self._deadline = math.inf
        self.log = structlog.get_logger().bind(job=claim.lease.job_id, attempt=claim.lease.attempt)

    @property
    def trains(self) -> bool:
        """Whether its trainer has more to say of it."""
        return self.ending is None and self._done is None

    @property
    def may_be_told(self) -> bool:
        """Whether it trains and nothing was ordered yet."""
        return self.trains and self._order is None

    @property
    def max_silent_seconds(self) -> float:
        """How long its trainer may say nothing."""
        return self.claim.spec.resources.max_silent_seconds

    def start_clock(self) -> None:
        """The trainer has its assignment."""
        self._deadline = time.monotonic() + self.claim.spec.resources.max_seconds

    def has_word(self, beat_seconds: float) -> bool:
        """Whether there is something to store, or a sign of life is due."""
        overdue = time.monotonic() - self.record.renewed_at > beat_seconds
        return overdue or self.ending is not None or self.record.has_news

    def word(self) -> Word:
        """All that is to be stored."""
        return self.record.word(self.ending)

    def stored(self, asked_at: float, state: JobState) -> None:
        """Its last word was stored; obeys what the answer says."""
        self.record.stored(asked_at)
        if self._forget:
            self.record.forget_files()
        elif not self.trains:
            return
        elif state == "cancelling":
            self.tell("cancel", LAST_SECONDS)
        elif state == "pausing":
            self.tell("checkpoint", self._settings.drain_seconds)

    def take(self, said: Said, renew: Callable[[], object]) -> None:
        """Take in what the trainer says of it; `renew` is called now and then while a large file is stored."""
        match word := said.word:
            case Started():
                self.record.started(word.environment)
            case Points():
                self.record.points(word)
            case Evaluation():
                self.record.evaluation(word)
            case Saved():
                self.record.checkpoint(word, renew)
            case NotSaved():
                self.record.no_room(word.steps_done)
            case Done():
                self._done = word
            case Failed():
                self.fail(word.error)
            case Stopped():
                self.stop()
            case _:
                raise TypeError(f"a trainer said {word!r}")

    def watch(self, now: float, drains: bool) -> None:
        """End it when a limit of time is over; give it back where its worker ends, or cannot say that it lives."""
        lease = self.claim.lease
        if now > self._stop_at:
            self.stop()
        elif now > self._deadline:
            self.fail(verdicts.timed_out(self.claim.spec.resources))
        elif drains:
            self.give_back("its worker stopped; waiting for another")
        elif now - self.record.renewed_at > lease.seconds + self._settings.grace_seconds:
            self.give_back("its worker could not reach the database; waiting for one that can")

    def give_back(self, reason: str) -> None:
        """Have a checkpoint written and let another worker go on."""
        self._given_back = self._given_back or reason
        self.tell("checkpoint", self._settings.drain_seconds)

    def tell(self, order: Order, patience_seconds: float) -> None:
        """Order it to stop; it is over when the trainer says so, or after a while whatever the trainer says."""
        if self._order in (order, "cancel"):
            return
        self._order, self._stop_at = order, time.monotonic() + patience_seconds
        self._send(order)

    def conclude(self, renew: Callable[[], object]) -> None:
        """Store the model of a run that has come to its end; where the disk is full, later."""
        if self._done is None or self.ending or time.monotonic() < self._try_at:
            return
        try:
            model = self.record.model(self._done, renew)
        except DiskFull:
            self._try_at = time.monotonic() + RETRY_SECONDS
            return
        self.ending = partial(_succeed, done=self._done, model_sha256=model.sha256)
        self.log.info("job_succeeded", steps=self._done.steps_done)

    def file_gone(self, error: FileNotFoundError) -> None:
        """End the job, as a file that it needs is not there."""
        self.log.warning("file_gone", error=str(error))
        self.fail(verdicts.FILE_GONE)

    def fail(self, error: JobError) -> None:
        """End the job with an error that another try would meet again."""
        self.ending = partial(endings.fail, error=error)
        self.log.info("job_failed", code=error.code, message=error.message)

    def stop(self) -> None:
        """The trainer stopped because it was told to, or is too slow to do so."""
        given_back = self._given_back if self._order == "checkpoint" else None
        self.ending = partial(endings.release, reason=given_back) if given_back else endings.stop
        self.log.info("job_stopped", order=self._order)

    def crash(self, error: JobError, company: int) -> None:
        """The trainer died with so many others, of which any may be to blame."""
        reason = f"{error.message} while it trained {company + 1} jobs together; trying again by itself"
        self.ending = partial(endings.part, reason=reason) if company else partial(endings.crash, error=error)
        self.log.warning("attempt_failed", code=error.code, message=error.message, company=company)

    def out_of_memory(self, told: OutOfMemory, company: int) -> None:
        """What the trainer had did not fit: the job is tried alone, with smaller batches, or fails."""
        spec = self.claim.spec
        plan = memory.plan_that_fits(spec, self.claim.dataset, told.room_bytes)
        error = memory.out_of_memory(told, spec, plan)
        if company:
            self.crash(error, company)
        elif plan is None or spec.resources.out_of_memory == "fail":
            self.fail(error)
        else:
            reason = f"{error.message}; trying again from the first step with {memory.batches(plan.spec.training)}"
            self.ending, self._forget = partial(endings.start_over, plan=plan, reason=reason), True
            self.log.warning("out_of_memory", batch_size=plan.spec.training.batch_size)


def _succeed(session: Session, job: JobRow, done: Done, model_sha256: str) -> None:
    """End the job well, unless its owner has asked to cancel it meanwhile."""
    if job.state == "cancelling":
        endings.stop(session, job)
    else:
        endings.succeed(
            session, job, weights_sha256=done.weights_sha256, model_sha256=model_sha256, steps_done=done.steps_done
        )
