"""Models of rows that are lists of numbers."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

from annotated_types import MaxLen, MinLen

from api_schemas.catalog.layers import InputShape, Layer, dropout, embedded, linear, sequential
from api_schemas.catalog.model_entry import DeepEntry, ModelEntry, Width
from api_schemas.errors import Fault

NormalizationPlace = Literal["before_activation", "after_activation"]


class LinearModel(ModelEntry):
    """One linear layer: linear regression, or softmax regression with cross-entropy."""

    formula = "z = W x + b"
    paper = "Gauss 1809; Cox 1958 for classes"
    pitfall = "It parts classes by straight lines only: spirals stay at the level of guessing."
    name: Literal["linear"] = "linear"

    def network(self, shape: InputShape, outputs: int) -> Layer:
        before, width = embedded(shape)
        return sequential([*before, *self._ending(width, outputs)])


class StackEntry(DeepEntry):
    """A model whose hidden layers are alike: one with weights, then normalization, activation and dropout."""

    normalization_place: NormalizationPlace = "before_activation"
    """Where the normalization stands; one that acts on weights stands nowhere else."""

    def _hidden(self, layer: Layer, width: int, axes: int = 0, pool: list[Layer] | None = None) -> list[Layer]:
        """A hidden layer and all that belongs to it; `axes` stand behind its `width` features."""
        normalized = self.normalization.layer(width, axes)
        around = [normalized] if normalized else []
        bent = [self.activation.layer()]
        ordered = around + bent if self.normalization_place == "before_activation" else bent + around
        return [self.normalization.wrap(layer), *ordered, *(pool or []), *dropout(self.dropout)]


class Mlp(StackEntry):
    """Linear layers, each with normalization, activation and dropout, and a linear one at the end."""

    formula = "h = dropout(activation(normalization(W h + b))) for each of hidden;  z = W h + b"
    paper = "Rumelhart, Hinton and Williams 1986"
    pitfall = "It knows nothing of neighbours: for images a cnn needs fewer weights and gets further."

    name: Literal["mlp"] = "mlp"
    hidden: Annotated[list[Width], MinLen(1), MaxLen(64)] = [128, 128]
    """Width of each hidden layer."""

    def faults(self, shape: InputShape) -> list[Fault]:
        return self._misfits((width, 1) for width in self.hidden)

    def network(self, shape: InputShape, outputs: int) -> Layer:
        layers, entering = embedded(shape)
        for width_in, width in itertools.pairwise([entering, *self.hidden]):
            layers += self._hidden(linear(width_in, width), width)
        return sequential([*layers, *self._ending(self.hidden[-1], outputs)])
