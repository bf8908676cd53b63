"""What the rules of advice look at, and what they answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from pydantic import JsonValue

from api_schemas.advice.schemas import PatchOperation
from api_schemas.catalog.layers import InputShape
from api_schemas.catalog.schedule_entry import Factors, Placed, lay_out
from api_schemas.jobs import JobSpec

_LOOKS = 200
"""At how many steps a schedule is looked at: its shape shows, and a plan stays quick however long the run."""


@dataclass(frozen=True)
class Prospect:
    """A spec as it would run."""

    spec: JobSpec
    train_rows: int
    steps_per_epoch: int
    total_steps: int
    shape: InputShape
    """What a row is when it enters the network."""
    scale_ratio: float
    """Largest standard deviation of a feature over the smallest; 1 where no two are known."""

    @property
    def last_batch_rows(self) -> int:
        """Rows of an epoch's last batch."""
        batch = self.spec.training.batch_size
        return batch if self.spec.training.drop_last else self.train_rows % batch or batch

    @property
    def last_step_rows(self) -> int:
        """Rows of an epoch's last step, which may accumulate several batches."""
        training = self.spec.training
        rows = self.train_rows - self.train_rows % training.batch_size if training.drop_last else self.train_rows
        step = training.batch_size * training.accumulate_batches
        return rows % step or step

    @cached_property
    def pieces(self) -> list[Placed]:
        """The schedule's pieces at their places."""
        return lay_out(self.spec.schedule, self.total_steps, self.steps_per_epoch)

    @cached_property
    def factor(self) -> Factors:
        """The schedule's factor of each step."""
        return Factors(self.spec.schedule, self.total_steps, self.steps_per_epoch)

    @cached_property
    def decays(self) -> bool:
        """Whether the schedule's second half goes below half of its top, or follows a metric that may see to it."""
        if any(piece.metric_followed for piece in self.spec.schedule):
            return True
        last = self.total_steps - 1
        factors = [self.factor(round(last * look / _LOOKS)) for look in range(_LOOKS + 1)]
        return min(factors[_LOOKS // 2 :]) < max(factors) / 2


@dataclass(frozen=True)
class Remark:
    """What a rule says: where, what, and what should stand there or elsewhere instead."""

    pointer: str
    message: str
    fix: PatchOperation


Rule = Callable[[Prospect], Remark | None]
"""Answers None where all is well."""


def replace(path: str, value: JsonValue) -> PatchOperation:
    """The operation that puts a value in the place of another."""
    return PatchOperation(op="replace", path=path, value=value)
