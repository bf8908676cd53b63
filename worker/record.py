"""What is heard of an attempt, on its way to the stores: its points, its checkpoints, its model."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from api_schemas.errors import DiskFull
from api_schemas.jobs import Environment
from storage import attempts
from storage.artifacts import Artifact, Artifacts
from storage.attempts import Claim, Word
from storage.database import Database
from storage.endings import Ending
from training.events import Evaluation, Points
from worker.messages import Done, FellBack, Saved
from worker.news import News
from worker.storing import store_file


class Record:
    """Keeps what a trainer says until it is stored.

    Args:
        database: where reports go.
        artifacts: where files go.
        claim: the attempt.

    Attributes:
        renewed_at: when the lease was last renewed, by the monotonic clock.
    """

    def __init__(self, database: Database, artifacts: Artifacts, claim: Claim) -> None:
        self._database, self._artifacts, self._claim = database, artifacts, claim
        self._lease = claim.lease
        self._news = News(claim, claim.steps_done)
        self._files = {checkpoint.sha256 for checkpoint in claim.checkpoints}
        self._environment: Environment | None = None
        """What the trainer runs on, until that is stored."""
        self.renewed_at = time.monotonic()
        self._log = structlog.get_logger().bind(job=claim.lease.job_id, attempt=claim.lease.attempt)

    @property
    def steps_done(self) -> int:
        """How far the attempt has come."""
        return self._news.steps_done

    @property
    def has_news(self) -> bool:
        """Whether there is something to store."""
        return self._news.report() is not None

    @property
    def unreported(self) -> int:
        """How many points wait to be stored, at least."""
        return self._news.unreported

    def begin(self) -> None:
        """Put the curves where the attempt begins; of a first attempt there are none.

        Raises:
            LeaseLost: the job is another's.
            Unavailable: the database does not answer.
        """
        if self._lease.attempt > 1:
            attempts.begin(self._database, self._lease, self._news.curves, self._claim.steps_done)

    def started(self, environment: Environment) -> None:
        """Take in what the trainer runs on; it begins its first step now."""
        self._environment = environment
        self._news.start_clock()

    def points(self, points: Points) -> None:
        """Take in what steps measured."""
        self._news.points(points)

    def evaluation(self, evaluation: Evaluation) -> None:
        """Take in what the held-out rows say."""
        self._news.evaluation(evaluation)

    def checkpoint(self, saved: Saved, renew: Callable[[], object]) -> None:
        """Store a checkpoint; where there is no room for it, the run goes on with the one before.

        Args:
            saved: its file, which is deleted: that makes place for the trainer's next one.
            renew: is called now and then while a large file is stored.
        """
        try:
            stored = store_file(self._artifacts, saved.path, renew)
        except DiskFull:
            self.no_room(saved.steps_done)
        else:
            self._files.add(stored.sha256)
            self._news.checkpoint(saved.steps_done, stored)
        saved.path.unlink()

    def model(self, done: Done, renew: Callable[[], object]) -> Artifact:
        """Store the model.

        Raises:
            DiskFull: there is no room for it yet.
        """
        try:
            return store_file(self._artifacts, done.model, renew)
        except DiskFull:
            self.no_room(done.steps_done)
            raise

    def no_room(self, steps_done: int) -> None:
        """Take in that the disk was too full for a file."""
        self._log.warning("disk_full", step=steps_done)
        self._news.disk_full(steps_done, "the disk is full; what is trained from here on is stored once there is room")

    def fall_back(self, told: FellBack) -> None:
        """Forget what was measured behind an earlier checkpoint: all of it comes again, the same."""
        self._log.warning("checkpoint_unreadable", reason=told.reason, from_step=told.steps_done)
        self._news = news = News(self._claim, told.steps_done)
        attempts.fall_back(self._database, self._lease, news.curves, news.checkpoints, told.reason)

    def word(self, ending: Ending | None) -> Word:
        """All that is to be stored, with what becomes of the job if the attempt is over."""
        news = self._news.report()
        for checkpoint in news.checkpoints if news else ():
            # However long the database was away, no sweep takes what is said only now.
            with suppress(FileNotFoundError):
                self._artifacts.renew(checkpoint.sha256)
        return Word(self._lease, self._news.curves, news, self._environment, ending)

    def stored(self, asked_at: float) -> None:
        """The last word is stored, as was asked for at that time of the monotonic clock."""
        self.renewed_at, self._environment = asked_at, None
        self._news.reported()
        self._forget_old_checkpoints()

    def forget_files(self) -> None:
        """Delete the attempt's checkpoints."""
        for sha256 in self._files:
            self._artifacts.delete(sha256)

    def _forget_old_checkpoints(self) -> None:
        """Delete the files that no checkpoint has any more, once there is a last one to go on from."""
        kept = {checkpoint.sha256 for checkpoint in self._news.checkpoints}
        if kept:
            for sha256 in self._files - kept:
                self._artifacts.delete(sha256)
            self._files = kept
