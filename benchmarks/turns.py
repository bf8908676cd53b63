"""Loops that are compared take turns: a short slice of each in every round, so that fast and slow spells hit all."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping

SLICE_SECONDS = 0.1

Advance = Callable[[], int]
"""Does some steps, and says how many."""


def take_turns(loops: Mapping[str, Advance], rounds: int) -> dict[str, list[float]]:
    """Processor seconds a step of each loop, one for each round; the first two rounds warm up and do not count."""
    taken: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(rounds + 2):
        for name, advance in random.sample(list(loops.items()), len(loops)):
            seconds = _slice(advance)
            if turn >= 2:
                taken[name].append(seconds)
    return taken


def times_as_fast(taken: Mapping[str, list[float]], name: str, base: str) -> str:
    """How many times as fast a loop is as another, round by round: the median and the quartiles."""
    ratios = [slow / quick for slow, quick in zip(taken[base], taken[name], strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:.2f} ({low:.2f}-{high:.2f})"


def microseconds(seconds: list[float]) -> str:
    """The median."""
    return f"{statistics.median(seconds) * 1e6:.0f}"


def _slice(advance: Advance) -> float:
    started, count = time.process_time(), 0
    while (elapsed := time.process_time() - started) < SLICE_SECONDS:
        count += advance()
    return elapsed / count
