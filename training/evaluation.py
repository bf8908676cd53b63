"""How good a network is on rows that it does not learn from."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from api_schemas.jobs import EarlyStopping
from training.data.prepare import Data, Part

_CHUNK_ROWS = 16_384


@torch.inference_mode()
def evaluate(model: nn.Module, loss: nn.Module, part: Part, data: Data) -> dict[str, float]:
    """Loss, and accuracy, or R2 and mean absolute error in the target's own units.

    The model is put into test mode for it: no dropout, batch norm by its running statistics. R2 is not a number where
    the rows' targets are all the same.
    """
    model.eval()
    scores = torch.cat([model(rows) for rows in part.x.split(_CHUNK_ROWS)])
    model.train()
    measured = {"loss": loss(scores, part.y).item()}
    if data.classes:
        return measured | {"accuracy": (scores.argmax(dim=1) == part.y).double().mean().item()}
    unit = float(data.preparation.target.scale[0])
    return measured | _regression(scores.squeeze(1).double(), part.y.double(), unit)


def _regression(predicted: Tensor, wanted: Tensor, unit: float) -> dict[str, float]:
    missed = predicted - wanted
    spread = (wanted - wanted.mean()).square().sum().item()
    r2 = 1 - missed.square().sum().item() / spread if spread else math.nan
    return {"r2": r2, "mae": missed.abs().mean().item() * unit}


class Patience:
    """Early stopping: watches one metric and says when it has not improved for long enough."""

    def __init__(self, spec: EarlyStopping) -> None:
        self._spec = spec
        self._sign = -1.0 if spec.metric in ("val/loss", "val/mae") else 1.0
        self.best: float | None = None
        """The best value so far, signed so that more is better."""
        self.waited = 0
        """How many evaluations ago it was."""

    @property
    def over(self) -> bool:
        """Whether to stop."""
        return self.waited >= self._spec.patience

    def see(self, values: dict[str, float]) -> None:
        """Take note of an evaluation; a value that is not a number is never better."""
        value = self._sign * values[self._spec.metric]
        better = math.isfinite(value) if self.best is None else value > self.best + self._spec.min_delta
        self.best, self.waited = (value, 0) if better else (self.best, self.waited + 1)
