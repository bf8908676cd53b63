"""What a supervisor heard from its trainer and has not yet reported."""

from __future__ import annotations

import math
import time

from api_schemas.catalog.metrics import Better, better
from api_schemas.jobs import Checkpoint, Summary
from storage.artifacts import Artifact
from storage.attempts import Claim, Report
from storage.curves import CurveWriter
from storage.database import now
from storage.events import Data
from training.events import Evaluation, Points
from worker.keeping import keep


class News:
    """Turns a trainer's words into points and reports.

    Args:
        claim: of the job that is trained.
        steps_done: where the attempt begins.

    Attributes:
        curves: the points that are not yet written.
        unreported: how many of them there are, at least.
        checkpoints: those that are kept, oldest first.
    """

    def __init__(self, claim: Claim, steps_done: int) -> None:
        self.curves = CurveWriter(claim.lease.job_id)
        self.unreported = 0
        self._best_metric = claim.spec.training.best_metric or "val/loss"
        earlier = [checkpoint for checkpoint in claim.checkpoints if checkpoint.step <= steps_done]
        self.checkpoints = keep(earlier, self._best_metric)
        self._judged = self.checkpoints[-1].metrics if self.checkpoints else {}
        self._rows_per_step = claim.rows_per_step
        self._steps_done = steps_done
        self._metrics = dict(claim.metrics)
        self._samples_per_second: float | None = None
        self._events: list[tuple[str, Data]] = []
        self._told = 0
        self._saved = False
        self._fresh = False
        self._full = False
        self._heard_at = time.monotonic()

    @property
    def steps_done(self) -> int:
        """How far the attempt has come."""
        return self._steps_done

    def start_clock(self) -> None:
        """The trainer begins its first step now."""
        self._heard_at = time.monotonic()

    def points(self, points: Points) -> None:
        """Take in what consecutive steps measured."""
        losses = points.series["train/loss"]
        steps = range(points.first_step, points.first_step + len(losses))
        for key, values in points.series.items():
            self.curves.add(key, steps, values)
        best = min(range(len(losses)), key=lambda place: (math.isnan(losses[place]), losses[place]))
        for place in (best, -1):
            self._note("train/loss", losses[place], steps[place])
        elapsed, self._heard_at = time.monotonic() - self._heard_at, time.monotonic()
        self._samples_per_second = round(len(losses) * self._rows_per_step / max(elapsed, 1e-6), 1)
        self._steps_done = steps[-1] + 1
        self.unreported += len(losses)
        self._fresh = True

    def evaluation(self, evaluation: Evaluation) -> None:
        """Take in what the held-out rows say."""
        for key, value in evaluation.values.items():
            self.curves.add(key, [evaluation.step], [value])
            self._note(key, value, evaluation.step)
        self._judged = {key: _finite(value) for key, value in evaluation.values.items()}
        self._happened("evaluation", {"step": evaluation.step, **self._judged})

    def checkpoint(self, steps_done: int, stored: Artifact) -> None:
        """Take in that a checkpoint was stored; a second one of the same step takes the first one's place."""
        new = Checkpoint(
            step=steps_done, created_at=now(), bytes=stored.bytes, sha256=stored.sha256, metrics=self._judged
        )
        before = [checkpoint for checkpoint in self.checkpoints if checkpoint.step < steps_done]
        self.checkpoints, self._saved = keep([*before, new], self._best_metric), True
        self._happened("checkpoint", {"step": steps_done, "bytes": stored.bytes})
        self._full = False

    def disk_full(self, steps_done: int, message: str) -> None:
        """Take in that there was no room for a file; it is told once, until there is room again."""
        if not self._full:
            self._full = True
            self._happened("disk_full", {"step": steps_done, "message": message})

    def report(self) -> Report | None:
        """All of it; None where there is none."""
        if not self._fresh:
            return None
        kept = self.checkpoints if self._saved else ()
        events, told = tuple(self._events), self._told
        return Report(self._steps_done, self._metrics, self._samples_per_second, events, kept, told)

    def reported(self) -> None:
        """It was stored."""
        self._told += len(self._events)
        self._events, self._saved, self.unreported, self._fresh = [], False, 0, False

    def _happened(self, kind: str, data: Data) -> None:
        self._events.append((kind, data))
        self._fresh = True

    def _note(self, key: str, value: float, step: int) -> None:
        """Keep the last and the best value of a metric."""
        known = self._metrics.get(key) or Summary(last=None, best=None, best_step=None, better=better(key))
        last = _finite(value)
        if last is not None and (known.best is None or _beats(last, known.best, known.better)):
            self._metrics[key] = known.model_copy(update={"last": last, "best": last, "best_step": step})
        else:
            self._metrics[key] = known.model_copy(update={"last": last})


def _beats(value: float, best: float, direction: Better) -> bool:
    return value > best if direction == "higher" else value < best


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
