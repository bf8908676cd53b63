"""Where quantities lie on paper, and the round numbers that stand beside them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_HUGE = 1e300
"""Values are drawn as if they ended here, and began at its inverse, so that the span of an axis stays finite."""


@dataclass(frozen=True)
class Axis:
    """Where a quantity lies on the paper.

    Args:
        low: smallest value shown; on a log axis its decimal logarithm, as `high`.
        high: largest value shown, above `low`.
        start: pixel of `low`.
        end: pixel of `high`.
        log: whether equal ratios are equal distances.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    @classmethod
    def around(cls, values: Iterable[float], start: float, end: float, *, log: bool = False, pad: float = 0.05) -> Axis:
        """The axis that shows all values with some air, or 0 to 1 where there is none."""
        placed = [_place(value, log) for value in values if not log or value > 0] or [0.0, 1.0]
        low, high = min(placed), max(placed)
        air = (high - low) * pad or abs(high) * 0.1 or 0.5
        return cls(low - air, high + air, start, end, log)

    def __call__(self, value: float) -> float:
        """The pixel of a value; on a log axis what is not above 0 lies on the lower edge."""
        placed = self.low if self.log and value <= 0 else _place(value, self.log)
        return round(self.start + (placed - self.low) / (self.high - self.low) * (self.end - self.start), 2)

    def ticks(self, count: int, *, whole: bool = False) -> list[tuple[float, str]]:
        """About `count` round values in the range, only `whole` numbers if asked, each with its label."""
        if not self.log:
            return _linear_ticks(self.low, self.high, count, finest=1.0 if whole else 0.0)
        first, last = max(-300, math.ceil(self.low)), min(300, math.floor(self.high))
        if last - first >= 2:
            every = math.ceil((last - first + 1) / count)
            exponents = [power for power in range(first, last + 1) if power % every == 0]
            return [(10.0**power, number(10.0**power)) for power in exponents]
        decades = range(math.floor(self.low), math.floor(self.high) + 1)
        round_values = [digit * 10.0**power for power in decades for digit in (1, 2, 5)]
        shown = [value for value in round_values if self.low <= math.log10(value) <= self.high]
        if len(shown) < 3:
            return _linear_ticks(10**self.low, 10**self.high, count)
        return [(value, number(value)) for value in shown]


def number(value: float, digits: int = 4) -> str:
    """A number as a label."""
    text = f"{value:.{digits}g}"
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else text


def _place(value: float, log: bool) -> float:
    within = max(-_HUGE, min(_HUGE, value))
    return math.log10(max(within, 1 / _HUGE)) if log else within


def _linear_ticks(low: float, high: float, count: int, finest: float = 0.0) -> list[tuple[float, str]]:
    step = max(finest, _round_step((high - low) / count))
    indices = range(math.ceil(low / step), math.floor(high / step) + 1)
    plain = step >= 1e-4 and max(abs(low), abs(high)) < 1e6
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return [(i * step, f"{i * step:,.{decimals}f}" if plain else number(i * step, 6)) for i in indices]


def _round_step(rough: float) -> float:
    """The smallest 1, 2 or 5 times a power of ten that is not below `rough`."""
    magnitude = 10.0 ** math.floor(math.log10(rough))
    return next(digit * magnitude for digit in (1, 2, 5, 10) if digit * magnitude >= rough * (1 - 1e-9))
