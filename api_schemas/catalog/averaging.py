"""The averages of weights that a job may be judged by."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt

from api_schemas.catalog.call import Call
from api_schemas.catalog.entry import Entry, OneOf


class AveragingEntry(Entry):
    """Keeps an average of the weights beside them.

    Training goes on as if there were none; evaluations, predictions and the final model use the average once it has
    begun. Where batch norm is used, its running statistics are taken anew over the training rows each time.
    """

    kind = "averaging"
    target = "torch.optim.swa_utils.AveragedModel"

    start: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Share of the run after which the average begins; a run that stops early before that keeps its last weights."""

    def period(self, steps_per_epoch: int) -> int:
        """Steps from one average to the next."""
        raise NotImplementedError

    def first_step(self, total_steps: int, steps_per_epoch: int) -> int:
        """How many steps are done when the average begins: with a multiple of the period; maybe beyond the run."""
        period = self.period(steps_per_epoch)
        return max(1, math.ceil(self.start * total_steps / period)) * period

    def knobs(self) -> dict[str, Any]:
        """What its target takes: when weights enter the average is the loop's part."""
        return {}


class Ema(AveragingEntry):
    """Exponential moving average of the weights: newer ones count more.

    Smooths the last few hundred steps, as a decay of the learning rate would, without slowing the training.
    """

    formula = "a = w at the start;  a = decay a + (1 - decay) w after every step"
    paper = "Polyak and Juditsky 1992"
    pitfall = (
        "Its memory is about 1 / (1 - decay) steps: in a run that is not much longer, the average still holds the "
        "first weights and is worse than the last ones."
    )
    name: Literal["ema"] = "ema"
    decay: Annotated[float, Gt(0), Lt(1)] = 0.999
    """How much of the old average stays at each step."""

    def knobs(self) -> dict[str, Any]:
        return {"multi_avg_fn": Call("torch.optim.swa_utils.get_ema_multi_avg_fn", (self.decay,))}

    def period(self, steps_per_epoch: int) -> int:
        return 1


class Swa(AveragingEntry):
    """Stochastic weight averaging: the plain mean of the weights at the end of the last epochs.

    With a learning rate that stays high to the end the weights wander around a wide minimum; their mean lies inside.
    """

    formula = "a = (n a + w) / (n + 1) after every `every`-th epoch, n weights being in it already"
    paper = "Izmailov et al. 2018"
    pitfall = "With a learning rate that decays to 0 all averaged weights are nearly the same, and nothing is won."
    name: Literal["swa"] = "swa"
    start: Annotated[float, Ge(0), Lt(1)] = 0.75
    """Share of the run after which the average begins; a run that stops early before that keeps its last weights."""
    every: Annotated[int, Ge(1), Le(10**9)] = 1
    """How far apart the averaged weights are."""
    unit: Literal["epoch", "step"] = "epoch"
    """What `every` counts."""

    def period(self, steps_per_epoch: int) -> int:
        return self.every * (steps_per_epoch if self.unit == "epoch" else 1)


Averaging = Annotated[AveragingEntry, OneOf(AveragingEntry)]
