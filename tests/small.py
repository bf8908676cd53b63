"""A network and data so small that a hundred optimizers can be walked over them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from api_schemas.catalog.optimizers import OptimizerEntry
from training.optimization import Optimization


class Small:
    """A perceptron with batch norm on 64 rows of three classes, and its optimizer at work."""

    def __init__(self, entry: OptimizerEntry) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 3))
        self.x = torch.randn(64, 6, generator=torch.Generator().manual_seed(1))
        self.y = self.x[:, :3].argmax(dim=1)
        self.optimization = Optimization(entry, self.model)
        self.losses: list[float] = []

    def train(self, steps: int) -> list[float]:
        """Take steps on all rows; returns their losses."""
        return [self._step() for _ in range(steps)]

    def _step(self) -> float:
        seen: list[Tensor] = []
        self.optimization.step(self._closure(seen))
        return seen[0].item()

    def _closure(self, seen: list[Tensor]) -> Callable[[], Tensor]:
        def closure() -> Tensor:
            self.optimization.gradient.clear()
            loss = nn.functional.cross_entropy(self.model(self.x), self.y)
            self.optimization.gradient.add(loss)
            seen.append(loss.detach())
            return loss

        return closure
