"""The schedule piece that follows a metric instead of the step."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from annotated_types import Ge, Le, Lt
from pydantic import StringConstraints

from api_schemas.catalog.metrics import better
from api_schemas.catalog.schedule_entry import Gamma, ScheduleEntry

ValidationMetric = Annotated[str, StringConstraints(pattern=r"^val/[a-z0-9_]{1,60}$")]


class PlateauFollower:
    """The factor of a plateau piece, as far as its metric has been seen.

    The rule of `torch.optim.lr_scheduler.ReduceLROnPlateau`, except that the threshold is a share of the best value's
    size whatever its sign, so that a gain is asked for where the best value is negative too.

    Args:
        rising: whether a larger value is better.
        gamma: what a drop leaves of the factor.
        patience: evaluations without a new best that are borne; the next one is a drop.
        threshold: by what share of the best value a new best has to be better.
        cooldown: evaluations after a drop that do not count.
        minimum: smallest factor.
    """

    def __init__(
        self, rising: bool, gamma: float, patience: int, threshold: float, cooldown: int, minimum: float
    ) -> None:
        self.rising, self.gamma, self.patience = rising, gamma, patience
        self.threshold, self.cooldown, self.minimum = threshold, cooldown, minimum
        self.factor = 1.0
        self.best: float | None = None
        self.waited = 0
        self.cooling = 0

    def see(self, value: float) -> None:
        """Take in the value of an evaluation; one that is not finite is never better."""
        self.waited += 1
        if math.isfinite(value) and self._is_better(value):
            self.best, self.waited = value, 0
        if self.cooling:
            self.cooling, self.waited = self.cooling - 1, 0
        if self.waited > self.patience:
            self.factor = max(self.minimum, self.gamma * self.factor)
            self.cooling, self.waited = self.cooldown, 0

    def _is_better(self, value: float) -> bool:
        if self.best is None:
            return True
        gain = value - self.best if self.rising else self.best - value
        return gain > self.threshold * abs(self.best)

    def state(self) -> tuple[float, float | None, int, int]:
        """What a checkpoint keeps."""
        return self.factor, self.best, self.waited, self.cooling

    def restore(self, state: tuple[float, float | None, int, int]) -> None:
        """Go on from `state()`."""
        self.factor, self.best, self.waited, self.cooling = state


class Plateau(ScheduleEntry):
    """Stays until a validation metric has stopped getting better, then drops; the one piece that follows the run.

    For when nobody knows beforehand where the rate should fall.
    """

    formula = "f = gamma^(drops so far);  a drop after more than patience evaluations without a new best"
    pitfall = (
        "A noisy metric looks like one that has stopped: with few validation rows the rate drops too early. What it "
        "does cannot be known before the run, so no preview shows it."
    )
    name: Literal["plateau"] = "plateau"
    metric: ValidationMetric = "val/loss"
    """What is watched, `val/loss`, or `val/` and the key of one of the job's metrics."""
    gamma: Gamma = 0.1
    """What a drop leaves of the rate."""
    patience: Annotated[int, Ge(0), Le(100_000)] = 10
    """How many evaluations without a new best are borne."""
    threshold: Annotated[float, Ge(0), Lt(1)] = 1e-4
    """By what share of the best value a new best has to be better."""
    cooldown: Annotated[int, Ge(0), Le(100_000)] = 0
    """How many evaluations after a drop do not count."""
    minimum: Annotated[float, Ge(0), Le(1)] = 0.0
    """Smallest factor."""

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        return 1.0

    @property
    def metric_followed(self) -> str:
        return self.metric

    def follower(self) -> PlateauFollower:
        rising = better(self.metric) == "higher"
        return PlateauFollower(rising, self.gamma, self.patience, self.threshold, self.cooldown, self.minimum)
