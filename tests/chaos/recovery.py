"""How long it takes until a job that a fault had stopped goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from api_schemas.jobs import TERMINAL
from tests.chaos.agent import Strike
from tests.chaos.faults import TRAINERS
from tests.chaos.logs import Happened, Logs
from tests.chaos.stage import WORKERS


@dataclass(frozen=True)
class Recovery:
    """One job, after one fault that concerned it."""

    kind: str
    target: str
    job_id: str
    since: float
    """When the fault was there or over, whichever counts, in seconds since the epoch."""
    claimed_at: float
    claimed_seconds: float
    """Until a worker has it again, or it moves on where it is."""
    progress_seconds: float
    """Until its curve or its state moves on: behind a claim, a trainer builds data and network again."""


def recoveries(strikes: Sequence[Strike], logs: Logs, pids: Mapping[str, int]) -> list[Recovery]:
    """How long each job took to go on after the last fault that concerned it.

    A dead or silent worker counts from that moment on, anything else from when nothing was wrong any more. Where the
    database, the broker or a link fails too before the job goes on, the time counts from that one's end. The pause
    before a retry, which grows with a job's failures and is meant, is left out.

    Args:
        strikes: in any order.
        logs: of all jobs.
        pids: of all workers that ever were, by their ids.
    """
    found: dict[tuple[str, int], tuple[float, Recovery]] = {}
    for strike in strikes:
        since = _since(strike)
        for job_id, log in logs.items():
            if not log[0].at <= since < log[-1].at or not _concerned(strike, since, log, pids):
                continue
            claimed, moved = _first(log, since, _is_claimed), _first(log, since, _moves)
            wait = _wait(claimed, log, since, strikes), _wait(moved, log, since, strikes)
            latest = found.get((job_id, claimed.number))
            if latest is None or latest[0] < since:
                recovery = Recovery(strike.fault.kind, strike.fault.target, job_id, since, claimed.at, *wait)
                found[job_id, claimed.number] = since, recovery
    return [recovery for _, recovery in found.values()]


def _since(strike: Strike) -> float:
    lives_on = strike.fault.target in TRAINERS and strike.fault.kind == "stop"
    if strike.ended is None or (_is_local(strike) and not lives_on):
        return strike.began
    return strike.ended


def _is_local(strike: Strike) -> bool:
    return strike.fault.target in (*WORKERS, *TRAINERS)


def _concerned(strike: Strike, since: float, log: Sequence[Happened], pids: Mapping[str, int]) -> bool:
    """Whether a worker had the job at that moment: any, or the one that was hit."""
    before = [event for event in log if event.at <= since]
    if [event.state for event in before if event.kind == "state"][-1] != "running":
        return False
    if not _is_local(strike):
        return True
    worker = next(event.worker for event in reversed(before) if event.kind == "attempt")
    return pids.get(worker) == strike.pid


def _first(log: Sequence[Happened], since: float, counts: Callable[[Happened], bool]) -> Happened:
    """The job has ended since, so there is one."""
    return next(event for event in log if event.at > since and counts(event))


def _is_claimed(event: Happened) -> bool:
    return event.kind == "attempt" or _moves(event)


def _moves(event: Happened) -> bool:
    return event.kind in ("evaluation", "checkpoint") or event.state in TERMINAL or event.state == "paused"


def _wait(went_on: Happened, log: Sequence[Happened], since: float, strikes: Sequence[Strike]) -> float:
    """Seconds, without those in which something else that all need was away, and without what was meant."""
    ends = [other.ended for other in strikes if not _is_local(other) and other.ended and other.began < went_on.at]
    waited = went_on.at - max([since, *(min(end, went_on.at) for end in ends)])
    failures = sum("trying again" in event.reason for event in log if since < event.at < went_on.at)
    earlier = sum("trying again" in event.reason for event in log if event.at <= since)
    pause = sum(2.0 ** (count - 1) - 1 for count in range(earlier + 1, earlier + failures + 1))
    return max(0.0, waited - pause)
