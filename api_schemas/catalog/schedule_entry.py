"""What a piece of a learning-rate schedule is, and how pieces are laid out on a run. Pure arithmetic, no torch.

A schedule is a list of pieces that follow each other. Each gives, for its own local step, the factor that the
optimizer's learning rate is multiplied with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le
from pydantic import model_validator

from api_schemas.catalog.entry import Entry

Factor = Annotated[float, Ge(0), Le(1000)]
Gamma = Annotated[float, Gt(0), Le(1)]
Unit = Literal["step", "epoch"]


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
        """The learning rate's factor.

        Args:
            step: local step, from 0 to `length`; at `length` the piece is over, and a last piece holds that value.
            length: of this piece, in steps.
            steps_per_epoch: what one epoch is in steps.
        """
        raise NotImplementedError

    def units(self, unit: Unit, step: int, steps_per_epoch: int) -> float:
        """A local step counted in steps or in epochs."""
        return step / steps_per_epoch if unit == "epoch" else step


class Factors:
    """A schedule laid out on a run of known length: ask it for the factor of any step.

    Args:
        pieces: in order; one without a length takes what is left and must be the last.
        total_steps: of the run.
        steps_per_epoch: what one epoch is in steps.
    """

    def __init__(self, pieces: Sequence[ScheduleEntry], total_steps: int, steps_per_epoch: int) -> None:
        self._steps_per_epoch = steps_per_epoch
        self._pieces: list[tuple[int, int, ScheduleEntry]] = []
        start = 0
        for piece in pieces:
            length = piece.length(total_steps, steps_per_epoch) or max(1, total_steps - start)
            self._pieces.append((start, length, piece))
            start += length

    def __call__(self, step: int) -> float:
        """The factor of a step, counted from 0; past its end the last piece holds its end value."""
        start, length, piece = next(
            (placed for placed in self._pieces if step < placed[0] + placed[1]), self._pieces[-1]
        )
        return piece.factor(min(step - start, length), length, self._steps_per_epoch)
