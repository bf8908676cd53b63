"""The weights that validation rows judged best."""

from __future__ import annotations

import copy
import math
from typing import Any

from torch import Tensor, nn


class BestWeights:
    """A copy of the weights and running statistics that a network had when a value was best.

    The first of equal values counts. One that is not finite is never better than one that is; while there is none that
    is, the last weights are held.

    Args:
        higher: whether a larger value is better.
    """

    def __init__(self, higher: bool) -> None:
        self._sign = 1.0 if higher else -1.0
        self._best = math.nan  # signed so that more is better
        self._weights: dict[str, Tensor] = {}

    def see(self, value: float, network: nn.Module) -> None:
        """Copy the weights of a network that was judged by this value, where it is the best."""
        signed = self._sign * value
        if not math.isfinite(self._best) or (math.isfinite(signed) and signed > self._best):
            self._best = signed
            self._weights = {name: weight.detach().clone() for name, weight in network.state_dict().items()}

    def model(self, network: nn.Module) -> nn.Module:
        """A copy of a network that has the best weights; `see` was called before."""
        best = copy.deepcopy(network)
        best.load_state_dict(self._weights)
        return best

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"best": self._best, "weights": self._weights}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state()`."""
        self._best, self._weights = state["best"], state["weights"]
