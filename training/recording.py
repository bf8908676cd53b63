"""The values of every step, kept on the device until somebody is told of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from training.events import Diverged, Points


class Recording:
    """Collects the points of consecutive steps at the cost of three list appends a step.

    Args:
        scheduled: the series beside loss and gradient norm, whose values are known without the device. With
            `loss_scale` among them a norm may be infinite: its step was skipped.
    """

    def __init__(self, scheduled: Iterable[str] = ("lr",)) -> None:
        self._scheduled = tuple(scheduled)
        self._finite = ("train/loss",) if "loss_scale" in self._scheduled else ("train/loss", "train/grad_norm")
        self._losses: list[Tensor] = []
        self._norms: list[Tensor] = []
        self._values: list[Sequence[float]] = []

    def __len__(self) -> int:
        return len(self._values)

    def add(self, loss: Tensor, norm: Tensor, values: Sequence[float]) -> None:
        """Keep a step's loss (), gradient norm () and scheduled values, without waiting for the device."""
        self._losses.append(loss)
        self._norms.append(norm)
        self._values.append(values)

    def take(self, steps_done: int) -> tuple[Points, Diverged | None]:
        """The points since the last call, in one transfer from the device, and the first that is not finite.

        Steps beyond that one are dropped: they say only how late it was noticed.
        """
        first = steps_done - len(self)
        losses, norms = torch.stack([torch.stack(self._losses), torch.stack(self._norms)]).tolist()
        scheduled = [list(values) for values in zip(*self._values, strict=True)]
        series = {
            "train/loss": losses,
            **dict(zip(self._scheduled, scheduled, strict=True)),
            "train/grad_norm": norms,
        }
        self._losses, self._norms, self._values = [], [], []
        for place in range(len(losses)):
            for key in self._finite:
                if not math.isfinite(series[key][place]):
                    told = {name: values[: place + 1] for name, values in series.items()}
                    return Points(first, told), Diverged(first + place, f"{key} is {series[key][place]}")
        return Points(first, series), None
