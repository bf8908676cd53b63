"""Schedule pieces that go one way: a rise, a fall, or neither."""

from __future__ import annotations

import itertools
import math
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, MaxLen, MinLen
from pydantic import model_validator

from api_schemas.catalog.schedule_entry import Factor, Gamma, ScheduleEntry, Unit, counted, half_cosine


class Constant(ScheduleEntry):
    """The same rate all along."""

    formula = "f = value"
    pitfall = (
        "Noise of the batches keeps the weights at a distance from the minimum that grows with the rate; nothing "
        "brings them closer."
    )
    name: Literal["constant"] = "constant"
    value: Factor = 1.0
    """What the learning rate is multiplied with."""

    @property
    def highest(self) -> float:
        return self.value

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        return self.value


class LinearWarmup(ScheduleEntry):
    """Rises in a straight line to the full rate.

    The first steps of a run see the steepest surface and, with Adam, averages over almost nothing: small steps at
    first keep a deep or attention network from being thrown far away.
    """

    formula = "f = initial + (1 - initial) i / n"
    paper = "Goyal et al. 2017"
    pitfall = "Alone it leaves the run at the full rate; let a decay follow. Longer than the run, it never arrives."
    name: Literal["linear_warmup"] = "linear_warmup"
    initial: Annotated[float, Ge(0), Le(1)] = 0.01
    """Factor of the first step; at 0 that step does nothing."""

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        return self.initial + (1 - self.initial) * (step / length)


class Linear(ScheduleEntry):
    """A straight line from one factor to another."""

    formula = "f = initial + (final - initial) i / n"
    pitfall = "To zero at the end it wastes the last steps; with an end that is too high it does not settle."
    name: Literal["linear"] = "linear"
    initial: Factor = 1.0
    """Factor at the start."""
    final: Factor = 0.0
    """Factor at the end."""

    @property
    def highest(self) -> float:
        return max(self.initial, self.final)

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        return self.initial + (self.final - self.initial) * (step / length)


class Cosine(ScheduleEntry):
    """Falls along half a cosine: slow at first, fast in the middle, slow at the end."""

    formula = "f = final + (initial - final) (1 + cos(pi i / n)) / 2"
    paper = "Loshchilov and Hutter 2017"
    pitfall = (
        "It depends on the end: a run stopped early is judged at a rate that is still high, and one made longer has "
        "to start over."
    )
    name: Literal["cosine"] = "cosine"
    initial: Factor = 1.0
    """Factor at the start."""
    final: Factor = 0.0
    """Factor at the end."""

    @property
    def highest(self) -> float:
        return max(self.initial, self.final)

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        return half_cosine(self.initial, self.final, step / length)


class Exponential(ScheduleEntry):
    """Shrinks by the same factor in every step or epoch."""

    formula = "f = gamma^(i / unit)"
    pitfall = "A gamma that is a little too small ends the training early: 0.9 each epoch leaves 0.5 % after 50."
    name: Literal["exponential"] = "exponential"
    gamma: Gamma = 0.95
    """What one unit leaves of the rate."""
    unit: Unit = "epoch"
    """What the rate shrinks by gamma over; between epochs it falls smoothly."""

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        return self.gamma ** counted(self.unit, step, steps_per_epoch)


class Step(ScheduleEntry):
    """Stays, then drops, again and again: a staircase."""

    formula = "f = gamma^floor(i / (every unit))"
    pitfall = "Between drops nothing is gained once noise rules, and when to drop has to be known."
    name: Literal["step"] = "step"
    gamma: Gamma = 0.1
    """What a drop leaves of the rate."""
    every: Annotated[int, Ge(1), Le(10**9)] = 10
    """How many units between drops."""
    unit: Unit = "epoch"
    """What `every` counts."""

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        return self.gamma ** (step // (self.every * (steps_per_epoch if self.unit == "epoch" else 1)))


class MultiStep(ScheduleEntry):
    """Drops at given moments, as the training of residual networks on ImageNet did."""

    formula = "f = gamma^(number of milestones passed)"
    paper = "He et al. 2016"
    pitfall = (
        "The milestones are for one length of run, dataset and batch size; for another they are too early or too late."
    )
    name: Literal["multi_step"] = "multi_step"
    gamma: Gamma = 0.1
    """What a drop leaves of the rate."""
    milestones: Annotated[list[Annotated[int, Ge(1), Le(10**9)]], MinLen(1), MaxLen(100)] = [10, 20]
    """When it drops, in rising order."""
    unit: Unit = "epoch"
    """What the milestones count."""

    @model_validator(mode="after")
    def _milestones_rise(self) -> MultiStep:
        if any(later <= earlier for earlier, later in itertools.pairwise(self.milestones)):
            raise ValueError("milestones must rise")
        return self

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        passed = counted(self.unit, step, steps_per_epoch)
        return self.gamma ** sum(milestone <= passed for milestone in self.milestones)


class Polynomial(ScheduleEntry):
    """Falls by a power of what is left of the piece; at 1 a straight line, above 1 faster at first."""

    formula = "f = final + (1 - final) (1 - i / n)^power"
    pitfall = "A high power leaves almost no rate for the second half of the run."
    name: Literal["polynomial"] = "polynomial"
    power: Annotated[float, Gt(0), Le(10)] = 2.0
    """The exponent."""
    final: Factor = 0.0
    """Factor at the end."""

    @property
    def highest(self) -> float:
        return max(1.0, self.final)

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        return self.final + (1 - self.final) * (1 - step / length) ** self.power


class InverseSqrt(ScheduleEntry):
    """Falls with the root of time, never to zero: for runs whose end is not known. Mostly behind a warmup."""

    formula = "f = sqrt(timescale / (i + timescale))"
    paper = "Vaswani et al. 2017; Zhai et al. 2022"
    pitfall = "It never gets small enough to settle: let a short linear fall follow where the run ends."
    name: Literal["inverse_sqrt"] = "inverse_sqrt"
    timescale: Annotated[int, Ge(1), Le(10**9)] = 1000
    """Steps after which the rate is at 71%; four times as many and it is at 45%."""

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        return math.sqrt(self.timescale / (step + self.timescale))


class OneOverT(ScheduleEntry):
    """Falls as one over time: what the proofs about stochastic gradient descent ask for, and slow in practice."""

    formula = "f = 1 / (1 + decay i / unit)"
    paper = "Robbins and Monro 1951"
    pitfall = "Soon too slow: after n times 1 / decay units the rate is 1 / n, long before a network has arrived."
    name: Literal["one_over_t"] = "one_over_t"
    decay: Annotated[float, Gt(0), Le(1e6)] = 1.0
    """How fast: at 1 the rate is halved after one unit."""
    unit: Unit = "epoch"
    """What time is counted in."""

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        return 1 / (1 + self.decay * counted(self.unit, step, steps_per_epoch))


class Rex(ScheduleEntry):
    """Stays high for long and falls fast at the end; made for short budgets."""

    formula = "f = (1 - i / n) / (1 - i / (2 n))"
    paper = "Chen, Wolfe and Kyrillidis 2022"
    pitfall = (
        "The rate is high until shortly before the end, and so is the noise: stopped early, it is worse than a cosine."
    )
    name: Literal["rex"] = "rex"

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        return (1 - step / length) / (1 - step / (2 * length))


class Tanh(ScheduleEntry):
    """Falls along a hyperbolic tangent: flat at the start and at the end, steeper between than a cosine."""

    formula = "f = (1 - tanh(lower + (upper - lower) i / n)) / 2"
    paper = "Hsueh, Li and Wu 2019"
    pitfall = "With bounds far apart most of the run is at the full rate or at none, and the fall between is a step."
    name: Literal["tanh"] = "tanh"
    lower: Annotated[float, Ge(-20), Le(0)] = -6.0
    """Argument at the start; the lower, the longer it stays high."""
    upper: Annotated[float, Ge(0), Le(20)] = 3.0
    """Argument at the end; the higher, the closer to 0 it comes."""

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        return (1 - math.tanh(self.lower + (self.upper - self.lower) * (step / length))) / 2
