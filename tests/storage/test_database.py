"""Processes that write at the same time wait for each other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

from storage import attempts
from storage.database import Database


def test_processes_that_read_and_then_write_wait_for_each_other(database, submit: Callable):
    """Each has its own connections and locks, as a process of its own would."""
    wanted = sorted(submit().id for _ in range(20))

    def work(own: Database) -> list[str]:
        got = []
        while claimed := attempts.claim(own, "wrk_1", ["default"], ["cpu"], 60):
            got.append(claimed.lease.job_id)
        return got

    with ExitStack() as stack:
        others = [stack.enter_context(closing(Database(database.url))) for _ in range(4)]
        pool = stack.enter_context(ThreadPoolExecutor(4))
        got = [job_id for part in pool.map(work, others) for job_id in part]
    assert sorted(got) == wanted
