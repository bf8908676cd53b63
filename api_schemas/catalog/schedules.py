"""The learning-rate schedules."""

from __future__ import annotations

import itertools
import math
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import model_validator

from api_schemas.catalog.entry import OneOf
from api_schemas.catalog.schedule_entry import Factor, Gamma, ScheduleEntry, Unit


class Constant(ScheduleEntry):
    """The same rate all along."""

    formula = "f = value"
    name: Literal["constant"] = "constant"
    value: Factor = 1.0
    """What the learning rate is multiplied with."""

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        return self.value


class LinearWarmup(ScheduleEntry):
    """Rises in a straight line to the full rate.

    The first steps of a run see the steepest surface and, with Adam, averages over almost nothing: small steps at
    first keep a deep or attention network from being thrown far away.
    """

    formula = "f = initial + (1 - initial) i / n"
    paper = "Goyal et al. 2017"
    name: Literal["linear_warmup"] = "linear_warmup"
    initial: Annotated[float, Ge(0), Le(1)] = 0.01
    """Factor of the first step; at 0 that step does nothing."""

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        return self.initial + (1 - self.initial) * (step / length)


class Linear(ScheduleEntry):
    """A straight line from one factor to another."""

    formula = "f = initial + (final - initial) i / n"
    name: Literal["linear"] = "linear"
    initial: Factor = 1.0
    """Factor at the start."""
    final: Factor = 0.0
    """Factor at the end."""

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        return self.initial + (self.final - self.initial) * (step / length)


class Cosine(ScheduleEntry):
    """Falls along half a cosine: slow at first, fast in the middle, slow at the end."""

    formula = "f = final + (initial - final) (1 + cos(pi i / n)) / 2"
    paper = "Loshchilov and Hutter 2017"
    name: Literal["cosine"] = "cosine"
    initial: Factor = 1.0
    """Factor at the start."""
    final: Factor = 0.0
    """Factor at the end."""

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        return _half_cosine(self.initial, self.final, step / length)


class Exponential(ScheduleEntry):
    """Shrinks by the same factor in every step or epoch."""

    formula = "f = gamma^(i / unit)"
    name: Literal["exponential"] = "exponential"
    gamma: Gamma = 0.95
    """What one unit leaves of the rate."""
    unit: Unit = "epoch"
    """What the rate shrinks by gamma over; between epochs it falls smoothly."""

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        return self.gamma ** self.units(self.unit, step, steps_per_epoch)


class Step(ScheduleEntry):
    """Stays, then drops, again and again: a staircase."""

    formula = "f = gamma^floor(i / (every unit))"
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
        passed = self.units(self.unit, step, steps_per_epoch)
        return self.gamma ** sum(milestone <= passed for milestone in self.milestones)


class Polynomial(ScheduleEntry):
    """Falls by a power of what is left of the piece; at 1 a straight line, above 1 faster at first."""

    formula = "f = final + (1 - final) (1 - i / n)^power"
    name: Literal["polynomial"] = "polynomial"
    power: Annotated[float, Gt(0), Le(10)] = 2.0
    """The exponent."""
    final: Factor = 0.0
    """Factor at the end."""

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        return self.final + (1 - self.final) * (1 - step / length) ** self.power


class CosineRestarts(ScheduleEntry):
    """Half a cosine again and again, each start at the full rate: a kick out of where the run had settled."""

    formula = "f = final + (1 - final) (1 + cos(pi t / T)) / 2,  t since the last restart,  T times multiplier at each"
    paper = "Loshchilov and Hutter 2017"
    name: Literal["cosine_restarts"] = "cosine_restarts"
    every: Annotated[int, Ge(1), Le(10**9)] = 10
    """Length of the first cycle."""
    multiplier: Annotated[int, Ge(1), Le(10)] = 1
    """How much longer each cycle is than the one before."""
    unit: Unit = "epoch"
    """What `every` counts."""
    final: Factor = 0.0
    """Factor at the end of a cycle."""

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        since, cycle = self.units(self.unit, step, steps_per_epoch), self.every
        while since >= cycle:
            since, cycle = since - cycle, cycle * self.multiplier
        return _half_cosine(1.0, self.final, since / cycle)


class InverseSqrt(ScheduleEntry):
    """Falls with the root of time, never to zero: for runs whose end is not known. Mostly behind a warmup."""

    formula = "f = sqrt(timescale / (i + timescale))"
    paper = "Vaswani et al. 2017; Zhai et al. 2022"
    name: Literal["inverse_sqrt"] = "inverse_sqrt"
    timescale: Annotated[int, Ge(1), Le(10**9)] = 1000
    """Steps after which the rate is at 71%; four times as many and it is at 45%."""

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        return math.sqrt(self.timescale / (step + self.timescale))


class Noam(ScheduleEntry):
    """The first transformer's schedule: a straight rise, then a fall with the root of time; 1 where they meet."""

    formula = "f = min((i + 1) / warmup, sqrt(warmup / (i + 1)))"
    paper = "Vaswani et al. 2017"
    name: Literal["noam"] = "noam"
    warmup: Annotated[int, Ge(1), Le(10**9)] = 4000
    """Steps of the rise."""

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        return min((step + 1) / self.warmup, math.sqrt(self.warmup / (step + 1)))


class OneOverT(ScheduleEntry):
    """Falls as one over time: what the proofs about stochastic gradient descent ask for, and slow in practice."""

    formula = "f = 1 / (1 + decay i / unit)"
    paper = "Robbins and Monro 1951"
    name: Literal["one_over_t"] = "one_over_t"
    decay: Annotated[float, Gt(0), Le(1e6)] = 1.0
    """How fast: at 1 the rate is halved after one unit."""
    unit: Unit = "epoch"
    """What time is counted in."""

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        return 1 / (1 + self.decay * self.units(self.unit, step, steps_per_epoch))


class Cyclic(ScheduleEntry):
    """Goes up and down between two rates in straight lines."""

    formula = "f = low + (high - low) max(0, 1 - |t / half - 2 c - 1|),  c the number of whole cycles"
    paper = "Smith 2017"
    name: Literal["cyclic"] = "cyclic"
    low: Factor = 0.1
    """Factor at the bottom."""
    high: Factor = 1.0
    """Factor at the top."""
    half: Annotated[int, Ge(1), Le(10**9)] = 2
    """From the bottom to the top."""
    unit: Unit = "epoch"
    """What `half` counts."""

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        place = self.units(self.unit, step, steps_per_epoch) / self.half
        return self.low + (self.high - self.low) * (1 - abs(place % 2 - 1))


class Wsd(ScheduleEntry):
    """Warmup, stable, decay: rises, stays, and falls to the end; the stable part can be made longer afterwards."""

    formula = "f = i / (warmup n), then 1, then 1 - (1 - final) g((i - (1 - decay) n) / (decay n))"
    paper = "Hu et al. 2024 (MiniCPM); Haegele et al. 2024 for the root"
    name: Literal["wsd"] = "wsd"
    warmup: Annotated[float, Ge(0), Le(0.5)] = 0.05
    """Share of the piece that rises."""
    decay: Annotated[float, Ge(0), Le(0.5)] = 0.2
    """Share of the piece that falls."""
    final: Factor = 0.0
    """Factor at the end."""
    shape: Literal["linear", "cosine", "sqrt"] = "linear"
    """How it falls: g(p) is p, (1 - cos(pi p)) / 2, or sqrt(p)."""

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        place = step / length
        if place < self.warmup:
            return place / self.warmup
        fallen = (place - (1 - self.decay)) / self.decay if self.decay else 0.0
        if fallen <= 0:
            return 1.0
        shapes = {"linear": fallen, "cosine": (1 - math.cos(math.pi * fallen)) / 2, "sqrt": math.sqrt(fallen)}
        return 1 - (1 - self.final) * shapes[self.shape]


class Rex(ScheduleEntry):
    """Stays high for long and falls fast at the end; made for short budgets."""

    formula = "f = (1 - i / n) / (1 - i / (2 n))"
    paper = "Chen, Wolfe and Kyrillidis 2022"
    name: Literal["rex"] = "rex"

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        return (1 - step / length) / (1 - step / (2 * length))


class Tanh(ScheduleEntry):
    """Falls along a hyperbolic tangent: flat at the start and at the end, steeper between than a cosine."""

    formula = "f = (1 - tanh(lower + (upper - lower) i / n)) / 2"
    paper = "Hsueh, Li and Wu 2019"
    name: Literal["tanh"] = "tanh"
    lower: Annotated[float, Ge(-20), Le(0)] = -6.0
    """Argument at the start; the lower, the longer it stays high."""
    upper: Annotated[float, Ge(0), Le(20)] = 3.0
    """Argument at the end; the higher, the closer to 0 it comes."""

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        return (1 - math.tanh(self.lower + (self.upper - self.lower) * (step / length))) / 2


class OneCycle(ScheduleEntry):
    """Up along a cosine, then down to almost nothing: large rates in the middle let a short run go far."""

    formula = "f from 1 / start to 1 within rise n - 1 steps, then to 1 / (start end) at step n - 1, along half cosines"
    paper = "Smith and Topin 2018"
    name: Literal["one_cycle"] = "one_cycle"
    rise: Annotated[float, Gt(0), Lt(1)] = 0.3
    """Share of the piece that rises."""
    start: Annotated[float, Ge(1), Le(1e6)] = 25.0
    """How many times smaller than at the top the rate is at the start."""
    end: Annotated[float, Ge(1), Le(1e8)] = 1e4
    """How many times smaller than at the start the rate is at the end."""

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        top, last = self.rise * length - 1, max(1, length - 1)
        first, final = 1 / self.start, 1 / (self.start * self.end)
        if 0 < top >= step:
            return _half_cosine(first, 1.0, step / top)
        return _half_cosine(1.0, final, min(1.0, (step - max(0.0, top)) / (last - max(0.0, top))))


def _half_cosine(start: float, end: float, place: float) -> float:
    """From start to end along half a cosine; `place` goes from 0 to 1."""
    return end + (start - end) * (1 + math.cos(math.pi * place)) / 2


SchedulePiece = Annotated[ScheduleEntry, OneOf(ScheduleEntry)]
Schedule = Annotated[list[SchedulePiece], MinLen(1), MaxLen(50)]
