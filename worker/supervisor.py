"""The supervisor of one attempt: starts the trainer, stores what it says, passes orders on, and sees to its end."""

from __future__ import annotations

import math
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

from api_schemas.errors import DiskFull, Unavailable
from api_schemas.jobs import JobError, JobState
from storage import attempts
from storage.artifacts import Artifacts, blocks_of
from storage.attempts import Claim, LeaseLost
from storage.database import Database
from storage.settings import Settings
from training.events import Evaluation, Points
from worker.courtesy import Courtesy
from worker.messages import Assignment, Done, Failed, NotSaved, Order, Saved, Started, StartsOver, Stopped
from worker.news import News
from worker.process import Child
from worker.slots import Slot

log = structlog.get_logger()

TRAIN = "worker.trainer:train"
CANCEL_PATIENCE_SECONDS = 1.0
"""How long a trainer may take to obey a cancel before it is killed."""
_LISTEN_SECONDS = 0.1
_RETRY_SECONDS = 0.5
_MOST_UNREPORTED = 2_000_000
"""Points that are kept while the database is away; then the trainer waits."""


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
        self._news = News(claim, claim.steps_done)
        self._files = {checkpoint.sha256 for checkpoint in claim.checkpoints}
        self._courtesy = Courtesy(database, settings, slot, claim)
        self._makes_way: str | None = None
        self._ending: Callable[[], None] | None = None
        self._order: Order | None = None
        self._kill_at = math.inf
        self._log = log.bind(job=claim.lease.job_id, attempt=claim.lease.attempt)

    def run(self) -> None:
        """Train the job until it ends, is stopped, or is another's."""
        self._log.info("attempt_started", from_step=self._claim.steps_done)
        try:
            with tempfile.TemporaryDirectory(prefix=f"{self._lease.job_id}-", dir=self._settings.scratch()) as folder:
                self._insist(
                    lambda: attempts.begin(self._database, self._lease, self._news.curves, self._claim.steps_done)
                )
                self._send(self._assignment(Path(folder)))
                self._listen()
                self._insist(self._ending or self._crashed(self._trainer.end(CANCEL_PATIENCE_SECONDS)))
        except LeaseLost:
            self._log.warning("lease_lost")
        finally:
            self._trainer.kill()
            self._trainer.end(0)

    def _assignment(self, folder: Path) -> Assignment:
        claim = self._claim
        return Assignment(
            job_id=self._lease.job_id,
            spec=claim.spec,
            dataset=claim.dataset,
            arrays=self._artifacts.path(claim.arrays_sha256) if claim.arrays_sha256 else None,
            checkpoint=self._artifacts.path(claim.checkpoint_sha256) if claim.checkpoint_sha256 else None,
            init=self._artifacts.path(claim.init_sha256) if claim.init_sha256 else None,
            folder=folder,
            device=self._slot.device_for(claim.spec),
            gpu=self._slot.gpu,
            threads=self._slot.threads,
            memory_bytes=self._settings.trainer_memory_bytes,
            compiled=self._settings.compiled,
        )

    def _listen(self) -> None:
        """Hear the trainer out, reporting as it speaks and at least once a second."""
        deadline = time.monotonic() + self._claim.spec.resources.max_seconds
        beat_seconds = min(1.0, self._lease.seconds / 4)
        reported = time.monotonic()
        while self._ending is None:
            alive = self._hear()
            if self._news.report() or time.monotonic() - reported > beat_seconds:
                self._report()
                reported = time.monotonic()
            if not alive:
                return
            if time.monotonic() > deadline:
                self._ending = self._timed_out
            if self._draining.is_set():
                self._tell("checkpoint", self._settings.drain_seconds)
            if time.monotonic() > self._kill_at:
                self._ending = self._stop

    def _hear(self) -> bool:
        """Take in what the trainer has said; False when it is gone."""
        if self._news.unreported >= _MOST_UNREPORTED:
            time.sleep(_RETRY_SECONDS)  # unheard, the trainer fills its pipe and waits
            return True
        try:
            patience = _LISTEN_SECONDS
            while self._ending is None and self._trainer.line.poll(patience):
                self._take(self._trainer.line.recv())
                patience = 0.0
        except (EOFError, ConnectionError):
            return False
        return True

    def _take(self, message: object) -> None:
        match message:
            case Points():
                self._news.points(message)
            case Evaluation():
                self._news.evaluation(message)
            case StartsOver():
                self._start_over(message.reason)
            case Saved():
                self._keep(message)
            case NotSaved():
                self._no_room(message.steps_done)
            case Started():
                environment = message.environment
                self._insist(lambda: attempts.describe(self._database, self._lease, environment))
                self._news.start_clock()
            case Done():
                self._ending = lambda: self._succeed(message)
            case Failed():
                self._ending = lambda: self._fail(message.error)
            case Stopped():
                self._ending = self._stop
            case _:
                raise TypeError(f"a trainer said {message!r}")

    def _start_over(self, reason: str) -> None:
        """Forget what an earlier attempt measured: all of it comes again, the same."""
        self._log.warning("checkpoint_unreadable", reason=reason)
        self._news = News(self._claim, 0)
        self._insist(lambda: attempts.begin(self._database, self._lease, self._news.curves, 0))

    def _keep(self, saved: Saved) -> None:
        """Store a checkpoint; where there is no room for it, the run goes on with the one before."""
        try:
            stored = self._artifacts.put(blocks_of(saved.path))
        except DiskFull:
            self._no_room(saved.steps_done)
        else:
            self._files.add(stored.sha256)
            self._news.checkpoint(saved.steps_done, stored)
        saved.path.unlink()

    def _no_room(self, steps_done: int) -> None:
        self._log.warning("disk_full", step=steps_done)
        self._news.disk_full(steps_done, "the disk is full; what is trained from here on is stored once there is room")

    def _report(self) -> None:
        """Store the news and obey what the answer says; with the database away, keep them and go on."""
        try:
            state = self._store_news()
        except Unavailable:
            self._log.warning("report_not_stored", points=self._news.unreported)
            return
        if state == "cancelling":
            self._tell("cancel", CANCEL_PATIENCE_SECONDS)
        elif state == "pausing":
            self._tell("checkpoint", self._settings.drain_seconds)
        elif self._order is None:
            self._make_way()

    def _make_way(self) -> None:
        """Free the slot for a job of higher priority, where this one allows that and is the one to do so."""
        try:
            self._makes_way = self._courtesy.reason(self._news.steps_done)
        except Unavailable:
            return
        if self._makes_way:
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

    def _forget_old_checkpoints(self) -> None:
        """Delete the files that no checkpoint has any more, once there is a last one to go on from."""
        kept = {checkpoint.sha256 for checkpoint in self._news.checkpoints}
        if kept:
            for sha256 in self._files - kept:
                self._artifacts.delete(sha256)
            self._files = kept

    def _insist(self, write: Callable[[], None]) -> None:
        """Write what must be written, for as long as the database is away or the disk full, and the lease is ours."""
        while True:
            try:
                return write()
            except Unavailable:
                time.sleep(_RETRY_SECONDS)

    def _store_news(self) -> JobState:
        news = self._news.report()
        for checkpoint in news.checkpoints if news else ():
            # However long the database was away, no sweep takes what is said only now.
            with suppress(FileNotFoundError):
                self._artifacts.renew(checkpoint.sha256)
        state = attempts.report(self._database, self._lease, self._news.curves, news)
        self._news.reported()
        self._forget_old_checkpoints()
        return state

    def _succeed(self, done: Done) -> None:
        if self._store_news() == "cancelling":
            attempts.stop(self._database, self._lease)
            return
        try:
            model = self._artifacts.put(blocks_of(done.model))
        except DiskFull:
            self._no_room(done.steps_done)
            raise
        attempts.succeed(
            self._database,
            self._lease,
            weights_sha256=done.weights_sha256,
            model_sha256=model.sha256,
            steps_done=done.steps_done,
        )
        self._log.info("job_succeeded", steps=done.steps_done)

    def _fail(self, error: JobError) -> None:
        self._store_news()
        attempts.fail(self._database, self._lease, error)
        self._log.info("job_failed", code=error.code, message=error.message)

    def _stop(self) -> None:
        """The trainer stopped because it was told to, or was too slow to do so and is killed."""
        self._store_news()
        if self._order == "checkpoint" and self._draining.is_set():
            attempts.release(self._database, self._lease, "its worker stopped; waiting for another")
        elif self._order == "checkpoint" and self._makes_way:
            attempts.release(self._database, self._lease, self._makes_way)
        else:
            attempts.stop(self._database, self._lease)
        self._log.info("job_stopped", order=self._order)

    def _timed_out(self) -> None:
        limit = self._claim.spec.resources.max_seconds
        self._fail(
            JobError(
                code="timeout",
                message=f"still running after {limit:g} s",
                hint="raise resources.max_seconds, or train less",
            )
        )

    def _crashed(self, exit_code: int) -> Callable[[], None]:
        error = crash_error(exit_code)

        def crash() -> None:
            self._store_news()
            attempts.crash(self._database, self._lease, error)
            self._log.warning("trainer_died", exit_code=exit_code)

        return crash


def crash_error(exit_code: int) -> JobError:
    """What the end of a trainer that said no last word means."""
    if exit_code == -signal.SIGKILL:
        return JobError(
            code="crashed",
            message="the trainer was killed (SIGKILL)",
            hint="mostly the machine ran out of memory: use a smaller batch or network",
        )
    if exit_code < 0:
        return JobError(
            code="crashed",
            message=f"the trainer was ended by signal {signal.Signals(-exit_code).name}",
            hint="a fault in native code or in the machine; the worker's log has more",
        )
    return JobError(
        code="internal_error",
        message=f"the trainer ended with status {exit_code}",
        hint="a fault of Anneal's; the worker's log has the traceback",
    )
