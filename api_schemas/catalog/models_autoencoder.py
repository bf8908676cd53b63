"""The model that learns without a target."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Annotated, Literal

from annotated_types import MaxLen

from api_schemas.catalog.call import Call
from api_schemas.catalog.layers import InputShape, Layer, dropout, linear, sequential
from api_schemas.catalog.losses import LossEntry
from api_schemas.catalog.model_entry import Share, Width
from api_schemas.catalog.models_plain import StackEntry
from api_schemas.errors import Fault


class Autoencoder(StackEntry):
    """Learns to give back the row that it is shown, through a layer too narrow to let all of it pass: the row's code.

    It needs no target, and does not see the dataset's. The code is a short description of a row, to draw or to learn
    from. A row that comes back badly is unlike those of the training: an anomaly. Predictions are that error, the mean
    square over the row's inputs, beside its code and what it came back as. Loss and metrics are over all inputs as
    the network sees them, so that r2 compares with the explained variance of principal components.
    """

    formula = (
        "c = W h + b behind h = dropout(activation(normalization(W h + b))) for each of hidden;  "
        "z = W h + b behind the same in reverse, from c on;  the target is x"
    )
    paper = "Hinton and Salakhutdinov 2006; Vincent et al. 2008 for noise"
    pitfall = (
        "A code nearly as wide as the row lets everything pass, anomalies too. Inputs count by their spread: what is "
        "not rescaled drowns the rest."
    )
    learns = "inputs"

    name: Literal["autoencoder"] = "autoencoder"
    hidden: Annotated[list[Width], MaxLen(64)] = [128, 64]
    """Width of each hidden layer before the code; behind it they stand in reverse. With none the network is linear and
    learns the plane of the principal components."""
    code: Width = 8
    """How many numbers describe a row."""
    noise: Share = 0.0
    """Share of the inputs that is set to 0 in training, the others scaled up to make up for it: what is given back is
    the whole row, so that it learns which inputs go together."""

    def faults(self, shape: InputShape) -> list[Fault]:
        return self._misfits((width, 1) for width in self.hidden) + _embedded(shape)

    def outputs(self, loss: LossEntry, shape: InputShape, classes: int) -> int:
        return shape.width * loss.outputs(0)

    def encoder(self, shape: InputShape) -> list[Layer]:
        """The network's first layers, from rows (rows, shape.width) to codes (rows, code)."""
        widths = [shape.width, *self.hidden]
        return [*dropout(self.noise), *self._stack(widths), linear(widths[-1], self.code)]

    def network(self, shape: InputShape, outputs: int) -> Layer:
        widths = [self.code, *reversed(self.hidden)]
        return sequential([*self.encoder(shape), *self._stack(widths), *self._ending(widths[-1], outputs)])

    def criterion(self, loss: LossEntry) -> Call:
        return Call("training.reconstruction.EveryNumber", (loss.call(),), {"outputs": loss.outputs(0)})

    def _stack(self, widths: Sequence[int]) -> list[Layer]:
        pairs = itertools.pairwise(widths)
        return [layer for before, width in pairs for layer in self._hidden(linear(before, width), width)]


def _embedded(shape: InputShape) -> list[Fault]:
    if not shape.categories:
        return []
    message = (
        "an autoencoder gives back numbers, and the code of an embedded category is none; use 'onehot', also as the "
        "`encode` of columns that say embedding themselves"
    )
    return [Fault(pointer="/preprocessing/categorical", code="embedded_categories", message=message)]
