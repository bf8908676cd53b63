"""Schedule pieces that rise and fall: once, or in cycles."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic import model_validator

from api_schemas.catalog.schedule_entry import Factor, ScheduleEntry, Unit, counted, half_cosine


class CosineRestarts(ScheduleEntry):
    """Half a cosine again and again, each start at the full rate: a kick out of where the run had settled."""

    formula = "f = final + (1 - final) (1 + cos(pi t / T)) / 2,  t since the last restart,  T times multiplier at each"
    paper = "Loshchilov and Hutter 2017"
    pitfall = "After each restart the loss is worse for a while: judge, and stop, just before one."
    name: Literal["cosine_restarts"] = "cosine_restarts"
    every: Annotated[int, Ge(1), Le(10**9)] = 10
    """Length of the first cycle."""
    multiplier: Annotated[int, Ge(1), Le(10)] = 1
    """How much longer each cycle is than the one before."""
    unit: Unit = "epoch"
    """What `every` counts."""
    final: Factor = 0.0
    """Factor at the end of a cycle."""

    @property
    def highest(self) -> float:
        return max(1.0, self.final)

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        since, cycle = counted(self.unit, step, steps_per_epoch), self.every
        if self.multiplier == 1:
            since %= cycle
        while since >= cycle:
            since, cycle = since - cycle, cycle * self.multiplier
        return half_cosine(1.0, self.final, since / cycle)


class Cyclic(ScheduleEntry):
    """Goes up and down between two rates in straight lines."""

    formula = "f = low + (high - low) max(0, 1 - |t / half - 2 c - 1|),  c the number of whole cycles"
    paper = "Smith 2017"
    pitfall = "The loss goes up and down with it, and a run that ends near a top ends worse than it was."
    name: Literal["cyclic"] = "cyclic"
    low: Factor = 0.1
    """Factor at the bottom."""
    high: Factor = 1.0
    """Factor at the top."""
    half: Annotated[int, Ge(1), Le(10**9)] = 2
    """From the bottom to the top."""
    unit: Unit = "epoch"
    """What `half` counts."""

    @property
    def highest(self) -> float:
        return max(self.low, self.high)

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        place = counted(self.unit, step, steps_per_epoch) / self.half
        return self.low + (self.high - self.low) * (1 - abs(place % 2 - 1))


class OneCycle(ScheduleEntry):
    """Up along a cosine, then down to almost nothing: large rates in the middle let a short run go far."""

    formula = "f from 1 / start to 1 within rise n - 1 steps, then to 1 / (start end) at step n - 1, along half cosines"
    paper = "Smith and Topin 2018"
    pitfall = (
        "It is made for one length of run: stopped early it has not come down. Its top is the given lr, so give a "
        "higher one than for a constant rate."
    )
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
            return half_cosine(first, 1.0, step / top)
        return half_cosine(1.0, final, min(1.0, (step - max(0.0, top)) / (last - max(0.0, top))))


class Noam(ScheduleEntry):
    """The first transformer's schedule: a straight rise, then a fall with the root of time; 1 where they meet."""

    formula = "f = min((i + 1) / warmup, sqrt(warmup / (i + 1)))"
    paper = "Vaswani et al. 2017"
    pitfall = "Its top is at the warmup's end; a short run with the usual 4000 steps of warmup never gets there."
    name: Literal["noam"] = "noam"
    warmup: Annotated[int, Ge(1), Le(10**9)] = 4000
    """Steps of the rise."""

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        return min((step + 1) / self.warmup, math.sqrt(self.warmup / (step + 1)))


class Wsd(ScheduleEntry):
    """Warmup, stable, decay: rises, stays, and falls to the end; the stable part can be made longer afterwards."""

    formula = "f = i / (warmup n), then 1, then 1 - (1 - final) g((i - (1 - decay) n) / (decay n))"
    paper = "Hu et al. 2024 (MiniCPM); Haegele et al. 2024 for the root"
    pitfall = "Until the decay sets in the loss looks worse than a cosine's; most of the gain is in the last part."
    name: Literal["wsd"] = "wsd"
    warmup: Annotated[float, Ge(0), Le(0.5)] = 0.05
    """Share of the piece that rises."""
    decay: Annotated[float, Ge(0), Le(0.5)] = 0.2
    """Share of the piece that falls."""
    final: Factor = 0.0
    """Factor at the end."""
    shape: Literal["linear", "cosine", "sqrt"] = "linear"
    """How it falls: g(p) is p, (1 - cos(pi p)) / 2, or sqrt(p)."""

    @property
    def highest(self) -> float:
        return max(1.0, self.final)

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        place = step / length
        if place < self.warmup:
            return place / self.warmup
        fallen = (place - (1 - self.decay)) / self.decay if self.decay else 0.0
        if fallen <= 0:
            return 1.0
        shapes = {"linear": fallen, "cosine": (1 - math.cos(math.pi * fallen)) / 2, "sqrt": math.sqrt(fallen)}
        return 1 - (1 - self.final) * shapes[self.shape]


class Chebyshev(ScheduleEntry):
    """Large and small rates in turn, whose steps together reach far while what one blows up the next shrinks.

    Most of its rates are far above what a constant one bears. On a quadratic whose curvatures lie between
    1 / (condition lr) and 1 / lr, no other rates leave less of the worst error after one period. The order, each rate
    mirrored by the next, keeps the error small on the way.
    """

    formula = "f = 2 / (1 + 1/condition - (1 - 1/condition) cos((s + 1/2) pi / period)),  s the fractal order of i"
    paper = "Agarwal, Goel and Zhang 2021; Lebedev and Finogenov 1971"
    pitfall = (
        "Its first step is the largest, almost `condition` times lr: put a warmup before it, and take lr from the "
        "steepest direction. Noise and momentum do not cancel as the curvature does; lower `condition` for them."
    )
    name: Literal["chebyshev"] = "chebyshev"
    condition: Annotated[float, Ge(1), Le(1000)] = 20.0
    """Largest curvature over the smallest that it is made for; its rates reach from lr to almost this times lr."""
    period: Annotated[int, Ge(1), Le(2**20)] = 16
    """After how many units it begins anew; a power of two."""
    unit: Unit = "step"
    """What `period` counts; a rate holds for one of them."""

    @model_validator(mode="after")
    def _period_halves(self) -> Chebyshev:
        if self.period & (self.period - 1):
            raise ValueError("period must be a power of two: 1, 2, 4, 8, 16 and so on")
        return self

    @property
    def highest(self) -> float:
        return self.condition

    def factor(self, step: int, length: int, steps_per_epoch: int) -> float:
        place = int(counted(self.unit, step, steps_per_epoch)) % self.period
        node, size = 0, 1
        for level in reversed(range(self.period.bit_length() - 1)):  # each doubling puts a mirror image after a node
            size *= 2
            node = size - 1 - node if (place >> level) & 1 else node
        smallest = 1 / self.condition
        middle, radius = (1 + smallest) / 2, (1 - smallest) / 2
        return 1 / (middle - radius * math.cos(math.pi * (node + 0.5) / self.period))
