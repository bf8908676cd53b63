"""Runs that are killed, and whether they tell what the run that never was tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random

from safetensors import safe_open

from training.checkpoint import digest
from training.events import Evaluation
from training.loop import Diverged, Happening, Run

Begin = Callable[[], Run]


@dataclass(frozen=True)
class Kill:
    """Where a process dies, in events of the run that never does."""

    saved: int
    """So many had been told when its last checkpoint was written; at 0 no step had been made."""
    died: int
    """And so many when it died."""


@dataclass(frozen=True)
class Whole:
    """What a run tells that nobody kills."""

    told: list[str]
    """Its events, every digit of them."""
    end: str
    """The digest of its model, and of all that its last checkpoint holds and how it lies in memory."""


def whole(begin: Begin, folder: Path) -> Whole:
    """A run from its first step to its last."""
    run = begin()
    return Whole([repr(event) for event in _told(run)], _end(run, folder))


def attempt(begin: Begin, folder: Path, start: int, kill: Kill | None = None) -> tuple[list[str], str]:
    """What one process tells: a fresh run goes on from the folder's checkpoint, where there is one, and is killed.

    Args:
        begin: makes the run.
        folder: of the job.
        start: events that were told when the checkpoint was written.
        kill: where it dies; without one it comes to its end.

    Returns:
        Its events, and its end or "".
    """
    run, checkpoint = begin(), folder / "checkpoint"
    if checkpoint.exists():
        run.restore(checkpoint)
    events = _told(run)
    if kill is None:
        return [repr(event) for event in events], _end(run, folder)
    before = [repr(event) for event in islice(events, kill.saved - start)]
    run.save(checkpoint)
    return before + [repr(event) for event in islice(events, kill.died - kill.saved)], ""


def drawn(told: Sequence[str], kills: int, random: Random) -> list[Kill]:
    """So many kills of a run: anywhere, and every second time where something begins or ends.

    Those places are before the first step and after it, before an evaluation and after it, and behind the last event.
    """
    judged = [place for place, event in enumerate(told) if event.startswith(Evaluation.__name__)]
    edges = [0, 1, *judged, *(place + 1 for place in judged), len(told)]
    saved = sorted(random.choice([random.randint(0, len(told)), random.choice(edges)]) for _ in range(kills))
    return [Kill(place, min(place + random.choice([0, 1, 7]), len(told))) for place in saved]


def _told(run: Run) -> Iterator[Happening | Diverged]:
    """The events of a run, one at least for every step, and why it ended where a number was not finite."""
    try:
        yield from run.events(flush_seconds=0)
    except Diverged as error:
        yield error


def _end(run: Run, folder: Path) -> str:
    run.save(folder / "end")
    with safe_open(folder / "end", framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - the file is no mapping
        layout = file.metadata()["layout"]
    return f"{run.save_model(folder / 'model')} {digest(tensors)} {layout}"
