"""Runs that train together."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from training.events import Diverged, Ended, Happening
from training.gradient import aligned, lay_out
from training.stacked import Network, align, loss_and_slope

if TYPE_CHECKING:
    from training.loop import Run


class Group:
    """Runs of the same network and data, as `api_schemas.fusing.fuse_key` finds them; one run is a group too.

    What each of them comes to does not depend on the others: it is what it would be alone, bit for bit on a CPU.

    Args:
        runs: none of which has been started by another group.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = list(runs)
        self._array: _Array | None = None
        if len(runs) > 1 and not all(run.stackable for run in runs):
            raise ValueError("each of these runs trains alone only")

    def events(self, flush_seconds: float = 0.1) -> Iterator[tuple[Run, Happening | Diverged | Ended]]:
        """Train all to their ends, and tell of each; one that has diverged or ended has left.

        Between two events every run stands at the end of a step, and may be saved.

        Args:
            flush_seconds: how long points may wait to be told; nothing but the cut of the points depends on it.
        """
        for run in list(self._runs):
            yield from self._happenings(run, run.begin())
        told_at = time.monotonic()
        while self._runs:
            stuck = self._advance(told_at + flush_seconds)
            late = time.monotonic() - told_at >= flush_seconds
            for run in list(self._runs):
                if late or run.at_milestone or run in stuck:
                    yield from self._happenings(run, run.tell(stuck.get(run)))
            told_at = time.monotonic() if late else told_at

    def leave(self, run: Run) -> None:
        """Train a run no further; the others go on."""
        self._runs.remove(run)

    def _happenings(self, run: Run, told: Iterator[Happening]) -> Iterator[tuple[Run, Happening | Diverged | Ended]]:
        """What a run tells now, for as long as it stays, and that it has ended if so."""
        if run not in self._runs:  # it was taken out while another told
            return
        try:
            for happening in told:
                yield run, happening
                if run not in self._runs:
                    return
        except Diverged as error:
            self.leave(run)
            yield run, error
        else:
            if run.finished:
                self.leave(run)
                yield run, Ended()

    def _advance(self, until: float) -> dict[Run, Exception]:
        """Take steps until something is due or the time is over, one at least; returns who cannot take another."""
        place = min(run.place for run in self._runs)
        abreast = [run for run in self._runs if run.place == place]
        # Those that stand earlier in their epoch than others, as one that was taken up again may, catch up first.
        others = [run.place for run in self._runs if run.place > place]
        steps = min([*(run.steps_ahead for run in abreast), *(other - place for other in others)])
        if not abreast[0].stackable:
            return abreast[0].take_alone(steps, until)
        if self._array is None or self._array.runs != abreast:
            self._array = _Array(abreast)
        return self._array.take(steps, until)


class _Array:
    """Runs whose weights and gradients lie in one array, a row each.

    Args:
        runs: at the same place of an epoch.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs, self._alone = list(runs), len(runs) == 1
        weights = [list(run.model.parameters()) for run in runs]
        shapes = [weight.shape for weight in weights[0]]
        size, like = sum(aligned(shape.numel()) for shape in shapes), weights[0][0]
        values, self._slopes = torch.zeros(2, len(runs), size, dtype=like.dtype, device=like.device)
        for run, own, row, slope in zip(runs, weights, values, self._slopes, strict=True):
            for weight, place in zip(own, lay_out(shapes, row), strict=True):
                weight.data = place.copy_(weight.detach())
            run.steps.optimization.move(slope)
        self._network = Network([run.model for run in runs], [run.generator for run in runs])
        self._loss = loss_and_slope([run.steps.loss for run in runs])

    @torch.no_grad()
    def take(self, steps: int, until: float) -> dict[Run, Exception]:
        """Take so many steps, fewer where the time is over."""
        stuck: dict[Run, Exception] = {}
        orders = [run.order() for run in self.runs]
        for rows in itertools.islice(self.runs[0].cut(orders[0] if self._alone else torch.stack(orders)), steps):
            self._step(rows, stuck)
            if stuck or time.monotonic() >= until:
                break
        return stuck

    def _step(self, rows: Tensor, stuck: dict[Run, Exception]) -> None:
        """Take a step on rows (runs, rows of the batch), of a single run (rows of the batch,)."""
        values = [run.begin_step() for run in self.runs]
        data, flat = self.runs[0].train, rows.reshape(-1)
        x, y = (part.index_select(0, flat) for part in (data.x, data.y))
        if not self._alone:
            x, y = align(x.view(*rows.shape, -1)), y.view(rows.shape)
        losses, slope = self._loss(self._network.forward(x), y)
        self._network.backward(slope)
        norms = torch.linalg.vector_norm(self._slopes, dim=1).unbind()
        for run, loss, norm, scheduled in zip(self.runs, losses, norms, values, strict=True):
            try:
                run.end_step(loss, norm, scheduled)
            except run.NO_STEP as error:
                stuck[run] = error
