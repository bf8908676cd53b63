"""A run of chaos as a picture: what was hit when, what became of the jobs, and how fast they went on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from service.plot_axes import Axis
from service.plot_paper import sheet
from service.plot_text import safe, text
from tests.chaos.agent import Strike
from tests.chaos.faults import TRAINERS
from tests.chaos.run import Outcome
from tests.chaos.stage import WORKERS

_WIDTH, _LEFT, _RIGHT, _TOP = 1100, 130, 1068, 92
_LANE, _PLOT, _GAP = 20, 120, 56
_LANES = (
    "gateway",
    *WORKERS,
    *TRAINERS,
    "postgres",
    "valkey",
    "links to gateway",
    "links to postgres",
    "links to valkey",
)
_BINS = 100


def draw(outcome: Outcome) -> str:
    """An SVG document that needs nothing else."""
    jobs = len(outcome.ledger.orders)
    verdict = f"{len(outcome.broken)} broken promises" if outcome.broken else "nothing lost, nothing twice"
    title = f"{jobs:,} jobs, {len(outcome.strikes):,} faults: {verdict}"
    minutes = (outcome.ceased - outcome.began) / 60
    plan = f"seed {outcome.plan.seed}, {minutes:.0f} min, a lease of {outcome.plan.lease_seconds:g} s"
    subtitle = (
        f"{plan} · red: killed, emptied or cut off until it answers again · orange: stopped, hung, slow or restarted"
    )
    time = Axis(0, (outcome.ended - outcome.began) / 60, _LEFT, _RIGHT)
    below = _TOP + _LANE * len(_LANES)
    elements = [
        *_lanes(outcome, time, below),
        *_ends(outcome, time, below + _GAP),
        *_recoveries(outcome, below + 2 * _GAP + _PLOT),
    ]
    height = below + 3 * _GAP + 2 * _PLOT
    return sheet(title, subtitle, elements, _WIDTH, height, description=f"{title}. {subtitle}")


def _lanes(outcome: Outcome, time: Axis, below: float) -> Iterator[str]:
    for place, lane in enumerate(_LANES):
        y = _TOP + _LANE * (place + 0.5)
        yield text(_LEFT - 10, y + 4, lane, anchor="end")
        yield f'<path class="grid" d="M{_LEFT} {y}H{_RIGHT}"/>'
    for strike in outcome.strikes:
        yield _mark(strike, outcome.began, time)
    yield from _minutes(time, below)


def _mark(strike: Strike, began: float, time: Axis) -> str:
    fault = strike.fault
    server = fault.target.rpartition("-")[2]
    lane = fault.target if fault.target in _LANES else f"links to {server}"
    start = time((strike.began - began) / 60)
    width = max(1.5, time(((strike.ended or strike.began) - began) / 60) - start)
    top = _TOP + _LANE * _LANES.index(lane) + 3
    css = "bad-fill" if fault.kind in ("kill", "cut", "forget") else "val-fill"
    what = safe(f"{fault.kind} {fault.target} at {fault.at:.1f} s")
    size = f'width="{width:.2f}" height="{_LANE - 6}"'
    return f'<rect class="{css}" x="{start}" y="{top}" {size}><title>{what}</title></rect>'


def _ends(outcome: Outcome, time: Axis, top: float) -> Iterator[str]:
    """How many jobs began and ended in each hundredth of the time."""
    span = outcome.ended - outcome.began
    starts = _counts([log[0].at - outcome.began for log in outcome.logs.values()], span)
    ends = _counts([log[-1].at - outcome.began for log in outcome.logs.values()], span)
    yield text(_LEFT, top - 10, f"jobs that ended, and as a line those submitted, every {span / _BINS:.0f} s")
    bins = [time(span / 60 * place / _BINS) for place in range(_BINS + 1)]
    y = Axis(0, max(*starts, *ends, 1), top + _PLOT, top)
    yield from _bars(ends, bins, y)
    line = "".join(f"H{right}V{y(count)}" for count, right in zip(starts, bins, strict=False))
    yield f'<path class="line val" d="M{bins[0]} {y.start}{line}H{bins[-1]}"/>'
    yield from _minutes(time, top + _PLOT)


def _recoveries(outcome: Outcome, top: float) -> Iterator[str]:
    """How often a job took how long to be claimed again."""
    limit = outcome.plan.lease_seconds + 2
    seconds = [recovery.claimed_seconds for recovery in outcome.recoveries]
    span = max([1.5 * limit, *seconds])
    x = Axis(0, span, _LEFT, _RIGHT)
    counts = _counts(seconds, span)
    y = Axis(0, max(*counts, 1), top + _PLOT, top)
    yield text(_LEFT, top - 10, f"seconds from a fault until its job is claimed again or moves on; limit {limit:g} s")
    yield from _bars(counts, [x(span * place / _BINS) for place in range(_BINS + 1)], y)
    yield f'<path class="cross bad" d="M{x(limit)} {top}V{top + _PLOT}"/>'
    for value, label in x.ticks(8):
        yield text(x(value), top + _PLOT + 18, label, anchor="middle")


def _bars(counts: Sequence[int], edges: Sequence[float], y: Axis) -> Iterator[str]:
    for value, label in y.ticks(3, whole=True):
        yield f'<path class="grid" d="M{_LEFT} {y(value)}H{_RIGHT}"/>'
        yield text(_LEFT - 8, y(value) + 4, label, anchor="end")
    for count, left, right in zip(counts, edges, edges[1:], strict=False):
        size = f'width="{right - left - 1:.2f}" height="{y.start - y(count):.2f}"'
        yield f'<rect class="train-fill" x="{left}" y="{y(count)}" {size}/>'


def _minutes(time: Axis, below: float) -> Iterator[str]:
    yield f'<path class="axis" d="M{_LEFT} {below}H{_RIGHT}"/>'
    for value, label in time.ticks(10):
        yield text(time(value), below + 18, f"{label} min", anchor="middle")


def _counts(seconds: Sequence[float], span: float) -> list[int]:
    counts = [0] * _BINS
    for one in seconds:
        counts[min(_BINS - 1, max(0, int(one / span * _BINS)))] += 1
    return counts
