"""Networks that compute in a shorter type than they are kept in."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from training.recompute import Recomputed


class Autocast(Recomputed):
    """Layers one after the other whose matrices are multiplied in a shorter type while they train.

    Mixed precision (Micikevicius et al. 2018): weights, their gradients, sums and scores stay float32. In test mode
    everything is float32, so that the network is judged as it will be served.

    Args:
        layers: as of `torch.nn.Sequential`.
        dtype: torch's name of the shorter type, such as "bfloat16".
        parts: as of `Recomputed`.
    """

    def __init__(self, *layers: nn.Module, dtype: str, parts: int = 1) -> None:
        super().__init__(*layers, parts=parts)
        self.dtype: torch.dtype = getattr(torch, dtype)

    def forward(self, input: Any) -> Tensor:  # noqa: A002 - torch's name of it
        if not self.training:
            return super().forward(input)
        with torch.autocast(input.device.type, self.dtype):
            scores = super().forward(input)
        return scores.float()
