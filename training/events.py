"""What a run tells while it trains."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Points:
    """What consecutive steps measured."""

    first_step: int
    """Step of the first values, counted from 0."""
    series: dict[str, list[float]]
    """`train/loss`, `train/grad_norm` (before clipping), `lr` and, where they are scheduled, `momentum` and
    `weight_decay`; in float16 `loss_scale` too: equally long, one value a step."""


@dataclass(frozen=True)
class Evaluation:
    """What the held-out rows say."""

    step: int
    """Index of the last optimizer step done, counted from 0."""
    values: dict[str, float]
    """`val/loss` and `val/` and the key of each of the job's metrics, NaN where one is not defined; at the very end
    `test/...` too, where there are test rows."""


@dataclass(frozen=True)
class CheckpointDue:
    """The run stands where its spec wants a checkpoint; all points up to here have been told."""

    step: int
    """Number of optimizer steps done."""


@dataclass(frozen=True)
class Ended:
    """The run has come to its end; all of it has been told."""


Happening = Points | Evaluation | CheckpointDue


class Diverged(Exception):
    """The run cannot go on from its numbers; every point up to and including that step has been told.

    Attributes:
        step: where, counted from 0.
    """

    def __init__(self, step: int, reason: str) -> None:
        super().__init__(f"diverged at step {step}: {reason}")
        self.step = step
