"""A job that is watched while it trains: moving at a terminal, line by line in a pipe."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from api_schemas.catalog.metrics import leading
from api_schemas.curves import Series
from api_schemas.jobs import Job
from client.api import Client
from client.report import number, progress_text, state_text, verdict
from client.sparkline import sparkline
from client.terminal import Terminal

_LOOK_SECONDS = 0.25
_LOSSES = ("train/loss", "val/loss")
_POINTS_A_COLUMN = 2
_WIDEST = 60
_TEXT_WIDTH = 56
"""Columns that the words beside the graphics need."""


@dataclass(frozen=True)
class Look:
    """A job and its curves at one moment."""

    job: Job
    series: Sequence[Series]


Draw: TypeAlias = Callable[[Look], None]


class LiveView:
    """Shows one job from now to its end.

    Args:
        client: asks for it, four times a second.
        terminal: shows it.
    """

    def __init__(self, client: Client, terminal: Terminal) -> None:
        self._client = client
        self._terminal = terminal
        self._stopped = threading.Event()
        self._width = max(10, min(_WIDEST, terminal.out.width - _TEXT_WIDTH))

    def show(self, job_id: str) -> Job:
        """Show the job until it has ended or `stop` is called; the job as it was last."""
        with self._moving() if self._terminal.live else self._lines() as draw:
            look = self._look(job_id)
            draw(look)
            while not look.job.terminal and not self._stopped.wait(_LOOK_SECONDS):
                look = self._look(job_id)
                draw(look)
        if look.job.terminal:
            self._terminal.print(verdict(look.job))
        return look.job

    def stop(self) -> None:
        """Have `show` return soon; for another thread to call."""
        self._stopped.set()

    def _look(self, job_id: str) -> Look:
        # The job first: if it has ended by then, its curves are whole.
        job = self._client.jobs.get(job_id)
        score = leading(job.metrics)
        keys = (*_LOSSES, f"val/{score}") if score else _LOSSES
        return Look(job, self._client.jobs.metrics(job_id, keys, max_points=_POINTS_A_COLUMN * self._width).series)

    @contextmanager
    def _moving(self) -> Generator[Draw]:
        with Live(console=self._terminal.out, auto_refresh=False) as screen:
            yield lambda look: screen.update(picture(look, self._width), refresh=True)

    @contextmanager
    def _lines(self) -> Generator[Draw]:
        said = ""

        def draw(look: Look) -> None:
            nonlocal said
            scores = "  ".join(_words(look.job, series) for series in _measured(look) if series.key != "train/loss")
            if (news := f"{look.job.state}  {scores}") != said and not look.job.terminal:
                self._terminal.print(f"{look.job.state}  {progress_text(look.job)}  {scores}".rstrip())
                said = news

        yield draw


def picture(look: Look, width: int) -> RenderableType:
    """The job as a bar and its curves as sparklines of the same width: they fill from left to right together."""
    job = look.job
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=width, no_wrap=True)
    grid.add_column(no_wrap=True, overflow="ellipsis")
    style = "red" if job.state == "failed" else "green" if job.state == "succeeded" else "cyan"
    total = max(1, job.progress.total_steps)
    bar = ProgressBar(total, job.progress.step, width=width, complete_style=style, finished_style=style)
    grid.add_row(bar, Text(progress_text(job)))
    for series in _measured(look):
        colour = "magenta" if series.key.startswith("train/") else "blue" if series.key in _LOSSES else "green"
        grid.add_row(Text(sparkline(series, total, width), colour), Text(_words(job, series)))
    title = Text.assemble((job.name, "bold"), "  ", (job.id, "dim"), "  ", state_text(job.state))
    return Group(title, grid)


def _measured(look: Look) -> Iterator[Series]:
    return (series for series in look.series if series.value)


def _words(job: Job, series: Series) -> str:
    summary = job.metrics.get(series.key)
    best = f", best {number(summary.best)}" if summary and series.key not in _LOSSES else ""
    return f"{series.key} {number(series.value[-1])}{best}"
