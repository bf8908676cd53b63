"""The values of every step, kept on the device until somebody is told of them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from training.events import Diverged, Points


class Recording:
    """Collects the points of consecutive steps at the cost of three list appends a step."""

    def __init__(self) -> None:
        self._losses: list[Tensor] = []
        self._norms: list[Tensor] = []
        self._rates: list[float] = []

    def __len__(self) -> int:
        return len(self._rates)

    def add(self, loss: Tensor, norm: Tensor, rate: float) -> None:
        """Keep a step's loss (), gradient norm () and learning rate, without waiting for the device."""
        self._losses.append(loss)
        self._norms.append(norm)
        self._rates.append(rate)

    def take(self, steps_done: int) -> tuple[Points, Diverged | None]:
        """The points since the last call, in one transfer from the device, and the first that is not finite.

        Steps beyond that one are dropped: they say only how late it was noticed.
        """
        first = steps_done - len(self)
        losses, norms = torch.stack([torch.stack(self._losses), torch.stack(self._norms)]).tolist()
        series = {"train/loss": losses, "lr": self._rates, "train/grad_norm": norms}
        self._losses, self._norms, self._rates = [], [], []
        for place, measured in enumerate(zip(losses, norms, strict=True)):
            for key, value in zip(("train/loss", "train/grad_norm"), measured, strict=True):
                if not math.isfinite(value):
                    told = {name: values[: place + 1] for name, values in series.items()}
                    return Points(first, told), Diverged(first + place, key, value)
        return Points(first, series), None
