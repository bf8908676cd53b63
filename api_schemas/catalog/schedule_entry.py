"""What a piece of a learning-rate schedule is, and how pieces are laid out on a run. Pure arithmetic, no torch.

A schedule is a list of pieces that follow each other. Each gives, for its own local step, the factor that the
optimizer's learning rate is multiplied with.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol

from annotated_types import Ge, Gt, Le
from pydantic import model_validator

from api_schemas.catalog.entry import Entry

Factor = Annotated[float, Ge(0), Le(1000)]
Gamma = Annotated[float, Gt(0), Le(1)]
Unit = Literal["step", "epoch"]


def half_cosine(start: float, end: float, place: float) -> float:
    """From start to end along half a cosine; `place` goes from 0 to 1."""
    return end + (start - end) * (1 + math.cos(math.pi * place)) / 2


def counted(unit: Unit, step: int, steps_per_epoch: int) -> float:
    """A local step counted in steps or in epochs."""
    return step / steps_per_epoch if unit == "epoch" else step


class Follower(Protocol):
    """A factor that evaluations change."""

    factor: float

    def see(self, value: float) -> None:
        """Take in the value of an evaluation."""
        ...

    def state(self) -> tuple[Any, ...]:
        """What a checkpoint keeps: numbers and None."""
        ...

    def restore(self, state: tuple[Any, ...]) -> None:
        """Go on from `state()`."""
        ...


class ScheduleEntry(Entry):
    """One piece of a schedule; at most one of `steps`, `epochs` and `fraction` says how long it is."""

    kind = "schedules"

    steps: Annotated[int, Ge(1), Le(10**9)] | None = None
    """Length in optimizer steps."""
    epochs: Annotated[float, Gt(0), Le(10**6)] | None = None
    """Length in epochs."""
    fraction: Annotated[float, Gt(0), Le(1)] | None = None
    """Length as a share of the whole run."""

    @model_validator(mode="after")
    def _one_length(self) -> ScheduleEntry:
        if sum(length is not None for length in (self.steps, self.epochs, self.fraction)) > 1:
            raise ValueError("give the length once: steps, epochs or fraction")
        return self

    def length(self, total_steps: int, steps_per_epoch: int) -> int | None:
        """Length in steps, at least 1; None where it takes what is left of the run."""
        if self.steps is not None:
            return self.steps
        if self.epochs is not None:
            return max(1, round(self.epochs * steps_per_epoch))
        if self.fraction is not None:
            return max(1, round(self.fraction * total_steps))
        return None

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        """The learning rate's factor; of a piece that follows a metric, while the metric has not acted.

        Args:
            step: local step, from 0 to `length`; at `length` the piece is over, and a last piece holds that value.
            length: of this piece, in steps.
            steps_per_epoch: what one epoch is in steps.
        """
        raise NotImplementedError

    @property
    def highest(self) -> float:
        """No factor of this piece is above it."""
        return 1.0

    @property
    def metric_followed(self) -> str | None:
        """The metric that its factor depends on; None where the step alone decides."""
        return None

    def follower(self) -> Follower | None:
        """What its factor is asked from while a run goes on, anew for each run; None where the step alone decides."""
        return None


@dataclass(frozen=True)
class Placed:
    """A piece at its place in a run."""

    piece: ScheduleEntry
    start: int
    """Its first step."""
    length: int
    """In steps."""


def lay_out(pieces: Sequence[ScheduleEntry], total_steps: int, steps_per_epoch: int) -> list[Placed]:
    """Place pieces one after the other; one without a length takes what is left, and must be the last."""
    placed: list[Placed] = []
    start = 0
    for piece in pieces:
        length = piece.length(total_steps, steps_per_epoch) or max(1, total_steps - start)
        placed.append(Placed(piece, start, length))
        start += length
    return placed


class Factors:
    """A schedule laid out on a run of known length: ask it for the factor of any step.

    Args:
        pieces: in order; one without a length takes what is left and must be the last.
        total_steps: of the run.
        steps_per_epoch: what one epoch is in steps.
    """

    def __init__(self, pieces: Sequence[ScheduleEntry], total_steps: int, steps_per_epoch: int) -> None:
        self._steps_per_epoch = steps_per_epoch
        self._placed = lay_out(pieces, total_steps, steps_per_epoch)
        self._starts = [placed.start for placed in self._placed]
        self._followers = [piece.follower() for piece in pieces]

    def __call__(self, step: int) -> float:
        """The factor of a step, counted from 0; past its end the last piece holds its end value."""
        index = self._index(step)
        follower, placed = self._followers[index], self._placed[index]
        if follower is not None:
            return follower.factor
        return placed.piece.factor(min(step - placed.start, placed.length), placed.length, self._steps_per_epoch)

    def see(self, step: int, values: Mapping[str, float]) -> None:
        """Take in an evaluation; it acts on the steps after it, where the piece of `step` follows one of its metrics.

        Args:
            step: the last step before the evaluation, counted from 0.
            values: of the evaluation's metrics, such as `val/loss`.
        """
        index = self._index(step)
        follower, metric = self._followers[index], self._placed[index].piece.metric_followed
        if follower is not None and metric is not None:
            follower.see(values[metric])

    def state(self) -> list[tuple[Any, ...] | None]:
        """What a checkpoint keeps: numbers and None."""
        return [follower.state() if follower else None for follower in self._followers]

    def restore(self, state: Sequence[tuple[Any, ...] | None]) -> None:
        """Go on from `state()` of the same schedule."""
        for follower, kept in zip(self._followers, state, strict=True):
            if follower is not None and kept is not None:
                follower.restore(kept)

    def _index(self, step: int) -> int:
        return bisect.bisect_right(self._starts, step) - 1
