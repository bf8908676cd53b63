"""Which checkpoints of a job are kept."""

from __future__ import annotations

from collections.abc import Sequence

from api_schemas.catalog.metrics import better
from api_schemas.jobs import Checkpoint

_LAST = 2
"""A second one, since the last may be damaged by what ends its worker."""


def keep(checkpoints: Sequence[Checkpoint], metric: str) -> list[Checkpoint]:
    """The last two and the best, marked as such.

    Args:
        checkpoints: oldest first; the best so far is among them.
        metric: which is best by; the earlier of two that are equal, and none before there is a value.
    """
    best = _best(checkpoints, metric)
    return [
        checkpoint.model_copy(update={"best": checkpoint is best, "last": checkpoint is checkpoints[-1]})
        for place, checkpoint in enumerate(checkpoints, start=1)
        if checkpoint is best or place > len(checkpoints) - _LAST
    ]


def _best(checkpoints: Sequence[Checkpoint], metric: str) -> Checkpoint | None:
    sign = 1 if better(metric) == "higher" else -1
    judged = [(sign * value, one) for one in checkpoints if (value := one.metrics.get(metric)) is not None]
    return max(judged, key=lambda pair: pair[0])[1] if judged else None
