"""The models."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

from annotated_types import Ge, Le, Lt, MaxLen, MinLen

from api_schemas.catalog.activations import Activation, Relu
from api_schemas.catalog.entry import Entry, OneOf
from api_schemas.catalog.normalizations import NoNormalization, Normalization

Width = Annotated[int, Ge(1), Le(16384)]


class ModelEntry(Entry):
    """A network's architecture; its input and output widths follow from the dataset."""

    kind = "models"

    @property
    def uses_batch_statistics(self) -> bool:
        """Whether a training batch of a single row would be an error."""
        return False

    def parameter_count(self, inputs: int, outputs: int) -> int:
        """How many numbers it learns."""
        raise NotImplementedError


class LinearModel(ModelEntry):
    """One linear layer: linear regression, or softmax regression with cross-entropy."""

    formula = "z = W x + b"
    target = "training.models.build_linear"
    name: Literal["linear"] = "linear"

    def parameter_count(self, inputs: int, outputs: int) -> int:
        return inputs * outputs + outputs


class Mlp(ModelEntry):
    """Linear layers, each with normalization, activation and dropout, and a linear one at the end."""

    formula = "h = dropout(activation(normalization(W h + b))) for each of hidden;  z = W h + b"
    paper = "Rumelhart, Hinton and Williams 1986"
    target = "training.models.build_mlp"

    name: Literal["mlp"] = "mlp"
    hidden: Annotated[list[Width], MinLen(1), MaxLen(64)] = [128, 128]
    """Width of each hidden layer."""
    activation: Activation = Relu()
    """What bends each hidden layer's output."""
    normalization: Normalization = NoNormalization()
    """What rescales each hidden layer's output."""
    normalization_place: Literal["before_activation", "after_activation"] = "before_activation"
    """Where the normalization stands."""
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Share of hidden outputs that is set to 0 in training; the others are scaled up to make up for it."""

    @property
    def uses_batch_statistics(self) -> bool:
        return self.normalization.batch_statistics

    def parameter_count(self, inputs: int, outputs: int) -> int:
        widths = [inputs, *self.hidden, outputs]
        linear = sum(a * b + b for a, b in itertools.pairwise(widths))
        return linear + self.normalization.weights_per_feature * sum(self.hidden)


Model = Annotated[ModelEntry, OneOf(ModelEntry)]
