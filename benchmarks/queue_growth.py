"""What a queue costs while it grows from one job to 10,000: to submit, to claim, to poll, to list.

Everything is measured inside one process, without HTTP, on a database for each length, in turns. The line is looked at
as a whole, once a second at most, for all who poll; the other lines should stay flat.

    python benchmarks/queue_growth.py [--largest 10000] [--repeats 40] [--plot docs/images/queue-growth.svg]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from benchmarks.growth import milliseconds, plot, table
from benchmarks.stored_jobs import fill
from storage import attempts, jobs
from storage.database import Database
from storage.keys import DEFAULT_PROJECT
from storage.line import Line
from storage.listing import JobFilter, list_jobs
from storage.settings import Settings
from storage.versions import read_standings

PLAN = make_plan(JobSpec.model_validate({"dataset": {"name": "iris"}}), None)


class Queue:
    """A database in which so many jobs wait."""

    def __init__(self, home: Path, waiting: int) -> None:
        self.newest = fill(home, waiting, ended=0)[-1]
        self.database = Database(Settings(home=home).database)
        self._line = Line(self.database, None)

    def submit(self) -> float:
        made: list[str] = []
        cost = milliseconds(lambda: made.append(jobs.submit(self.database, DEFAULT_PROJECT, PLAN)[0].id))
        jobs.delete_job(self.database, DEFAULT_PROJECT, made[0])
        return cost

    def claim(self) -> float:
        claimed: list[attempts.Claim | None] = []
        cost = milliseconds(lambda: claimed.append(attempts.claim(self.database, "wrk_1", ["default"], ["cpu"], 60)))
        assert claimed[0] is not None
        attempts.release(self.database, claimed[0].lease, "back into the queue")
        return cost

    def poll(self) -> float:
        """The poll of a job by itself; with others it is read together."""
        self._poll()  # looks at the line, if that was a second ago
        return milliseconds(self._poll)

    def list(self) -> float:
        return milliseconds(lambda: list_jobs(self.database, DEFAULT_PROJECT, JobFilter(states=["queued"])))

    def look(self) -> float:
        standing = read_standings(self.database, [self.newest])[self.newest]
        return milliseconds(lambda: Line(self.database, None).waiting(self.newest, standing, DEFAULT_PROJECT))

    def _poll(self) -> None:
        standing = read_standings(self.database, [self.newest])[self.newest]
        self._line.waiting(self.newest, standing, DEFAULT_PROJECT)


MEASURED = {
    "a submit": Queue.submit,
    "a claim": Queue.claim,
    "a poll": Queue.poll,
    "a page of 50": Queue.list,
    "a look at the whole line": Queue.look,
}


def measure(queues: Mapping[int, Queue], repeats: int) -> dict[str, dict[int, float]]:
    """Medians over the repeats, of which each asks every queue once."""
    found: dict[str, dict[int, list[float]]] = {name: {size: [] for size in queues} for name in MEASURED}
    for _ in range(repeats + 1):
        for name, cost in MEASURED.items():
            for size, queue in queues.items():
                found[name][size].append(cost(queue))
    return {name: {size: statistics.median(costs[1:]) for size, costs in line.items()} for name, line in found.items()}


def lengths(largest: int) -> Sequence[int]:
    """The powers of ten up to the largest."""
    return [10**power for power in range(8) if 10**power <= largest]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--plot", type=Path, help="where the picture goes")
    asked = parser.parse_args()
    sizes = lengths(asked.largest)
    with ExitStack() as stack:
        homes = {size: Path(stack.enter_context(tempfile.TemporaryDirectory())) for size in sizes}
        queues = {size: Queue(home, size) for size, home in homes.items()}
        costs = measure(queues, asked.repeats)
        for queue in queues.values():
            queue.database.close()
    print(table(costs, sizes))
    if asked.plot:
        asked.plot.write_text(plot(costs, "A queue that grows", "jobs that wait"))


if __name__ == "__main__":
    main()
