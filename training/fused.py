"""Runs that train together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from training.events import Diverged, Ended, Happening
from training.loop import Run


class Group:
    """Runs of the same network and data, as `api_schemas.fusing.fuse_key` finds them; one run is a group too.

    Args:
        runs: none of which has been started by another group.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = list(runs)

    def events(self, flush_seconds: float = 0.1) -> Iterator[tuple[Run, Happening | Diverged | Ended]]:
        """Train all to their ends, and tell of each; one that has diverged or ended has left.

        Between two events every run stands at the end of a step, and may be saved.

        Args:
            flush_seconds: how long points may wait to be told; nothing but the cut of the points depends on it.
        """
        while self._runs:
            run = self._runs[0]
            try:
                for told in run.events(flush_seconds):
                    yield run, told
                    if run not in self._runs:
                        break
                else:
                    self.leave(run)
                    yield run, Ended()
            except Diverged as error:
                self.leave(run)
                yield run, error

    def leave(self, run: Run) -> None:
        """Train a run no further; the others go on."""
        self._runs.remove(run)
