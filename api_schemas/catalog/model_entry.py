"""What every model is to a job."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import EntryPoints, entry_points
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Le, Lt, MaxLen, MinLen
from pydantic import Strict

from api_schemas.catalog.activations import Activation, Relu
from api_schemas.catalog.call import Call
from api_schemas.catalog.entry import Entry
from api_schemas.catalog.initializations import DefaultInitialization, Initialization
from api_schemas.catalog.layers import Array, InputShape, Layer, linear, sequential, shown
from api_schemas.catalog.losses import LossEntry
from api_schemas.catalog.normalizations import NoNormalization, Normalization
from api_schemas.errors import Fault

Width = Annotated[int, Ge(1), Le(16384)]
Share = Annotated[float, Ge(0), Lt(1)]
Learned = Literal["target", "inputs", "next_token"]
"""What a network's scores are compared with: the dataset's target, the row itself, or what follows in a text."""
Axes = Annotated[tuple[Annotated[int, Ge(1), Le(10**6)], ...], Strict(strict=False), MinLen(1), MaxLen(3)]


@cache
def _of_operators() -> EntryPoints:
    """The models that packages beside ours bring along, by name."""
    return entry_points(group="anneal.models")


class ModelEntry(Entry):
    """A network's architecture; its input and output widths follow from the dataset.

    An operator adds one by an entry point of the group `anneal.models`.
    """

    kind = "models"
    learns: ClassVar[Learned] = "target"

    initialization: Initialization = DefaultInitialization()
    """What the weights are before the first step."""
    output_activation: Activation | None = None
    """What bends the network's outputs. Left out, they are plain scores, as every loss of the catalog wants them."""

    @classmethod
    def names(cls) -> list[str]:
        added = _of_operators().names if cls is ModelEntry else set[str]()
        return list(dict.fromkeys([*super().names(), *sorted(added)]))

    @classmethod
    def find(cls, name: str) -> type[Entry] | None:
        if cls is ModelEntry and name in _of_operators().names:
            _of_operators()[name].load()  # which makes it one of the classes below this one
        return super().find(name)

    @property
    def uses_batch_statistics(self) -> bool:
        """Whether a training batch of a single row would be an error."""
        return False

    @property
    def window(self) -> int | None:
        """How many tokens of a text a row shows it; None where it does not read text."""
        return None

    def faults(self, shape: InputShape) -> list[Fault]:
        """What keeps it from being built for such data, each at its place in the job."""
        return []

    def outputs(self, loss: LossEntry, shape: InputShape, classes: int) -> int:
        """How many scores a row has.

        Args:
            loss: of its scores.
            shape: of a row.
            classes: how many the target holds; 0 where it is a number.
        """
        return loss.outputs(classes)

    def network(self, shape: InputShape, outputs: int) -> Layer:
        """A `sequential` network from rows (rows, shape.width) to scores (rows, outputs).

        Raises:
            ValueError: where `faults` has something to say.
        """
        raise NotImplementedError

    def initialize(self, model: Any, inputs: Any) -> Call | None:
        """The call that sets the network's weights in place; None where they stay as the layers were made.

        Args:
            model: the network, or its name.
            inputs: the first training rows, prepared (rows, inputs), or their name.
        """
        return self.initialization.start(model, inputs, slope=1.0)

    def criterion(self, loss: LossEntry) -> Call:
        """The call that makes the loss of what the network gives and what it should have given."""
        return loss.call()

    def _ending(self, width: int, outputs: int) -> list[Layer]:
        """The last layer, from `width` numbers to the outputs."""
        return [linear(width, outputs), *self._bent()]

    def _bent(self) -> list[Layer]:
        """What stands behind the last layer."""
        return [self.output_activation.layer()] if self.output_activation else []


class DeepEntry(ModelEntry):
    """A model with hidden layers, each with normalization, activation and dropout."""

    activation: Activation = Relu()
    """What bends each hidden layer's output."""
    normalization: Normalization = NoNormalization()
    """What keeps each hidden layer's output at a steady size."""
    dropout: Share = 0.0
    """Share of hidden outputs that is set to 0 in training; the others are scaled up to make up for it."""

    @property
    def uses_batch_statistics(self) -> bool:
        return self.normalization.batch_statistics

    def initialize(self, model: Any, inputs: Any) -> Call | None:
        return self.initialization.start(model, inputs, slope=self.activation.slope)

    def _misfits(self, hidden: Iterable[tuple[int, int]]) -> list[Fault]:
        """What does not go together, for hidden layers of these widths and places."""
        unfit = [reason for width, places in hidden if (reason := self.normalization.unfit(width, places))]
        faults = [Fault(pointer="/model/normalization", code="normalization_unfit", message=unfit[0])] if unfit else []
        reason = self.initialization.unfit(self.normalization)
        if reason:
            faults.append(Fault(pointer="/model/initialization", code="initialization_unfit", message=reason))
        return faults


class ArrayEntry(ModelEntry):
    """A model of rows that are arrays: sequences or images."""

    array: Axes | None = None
    """The axes of a row, where the dataset does not say: [length], [length, features] or [height, width], or
    [channels, height, width]. A row holds its numbers flat, in that order."""

    def faults(self, shape: InputShape) -> list[Fault]:
        array = self.array or shape.array
        if array is None:
            return [self._no_array()]
        if math.prod(array) != shape.width:
            return [_not_this_array("/model/array" if self.array else "/model/name", array, shape.width)]
        return self._faults(InputShape(shape.width, array))

    def network(self, shape: InputShape, outputs: int) -> Layer:
        array = self.array or shape.array
        if array is None:
            raise ValueError(f"a {self.name} needs rows that are arrays")
        return sequential(self._layers(InputShape(shape.width, array), outputs))

    def _faults(self, shape: InputShape) -> list[Fault]:
        """What keeps it from being built for arrays of this shape."""
        raise NotImplementedError

    def _layers(self, shape: InputShape, outputs: int) -> Sequence[Layer]:
        """Its layers, from flat rows to scores, for a shape without faults."""
        raise NotImplementedError

    def _no_array(self) -> Fault:
        return Fault(
            pointer="/model/name",
            code="no_array",
            message=f"a {self.name} needs rows that are sequences or images, and this dataset's are not known to be "
            "any; take an mlp, or set model.array to their axes, such as [channels, height, width]",
        )

    def _wrong_axes(self, array: Array, wanted: str) -> Fault:
        """The fault of an array with too few or too many axes."""
        return Fault(
            pointer="/model/array" if self.array else "/model/name",
            code="wrong_axes",
            message=f"a {self.name} needs {wanted}, and a row of this dataset is {shown(array)}",
        )


def _not_this_array(pointer: str, array: Array, width: int) -> Fault:
    return Fault(
        pointer=pointer,
        code="not_this_array",
        message=f"an array of {shown(array)} has {math.prod(array)} numbers, and a row of the network's input has "
        f"{width}",
    )
