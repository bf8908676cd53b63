"""The models."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, Lt, MaxLen, MinLen
from pydantic import Strict

from api_schemas.catalog.activations import Activation, Relu
from api_schemas.catalog.call import Call
from api_schemas.catalog.entry import Entry, OneOf
from api_schemas.catalog.initializations import DefaultInitialization, Initialization
from api_schemas.catalog.layers import Image, InputShape, Layer, convolution, linear, sequential
from api_schemas.catalog.normalizations import NoNormalization, Normalization
from api_schemas.errors import Fault

Width = Annotated[int, Ge(1), Le(16384)]


class ModelEntry(Entry):
    """A network's architecture; its input and output widths follow from the dataset."""

    kind = "models"

    initialization: Initialization = DefaultInitialization()
    """What the weights are before the first step."""
    output_activation: Activation | None = None
    """What bends the network's outputs. Left out, they are plain scores, as every loss of the catalog wants them."""

    @property
    def uses_batch_statistics(self) -> bool:
        """Whether a training batch of a single row would be an error."""
        return False

    def faults(self, shape: InputShape) -> list[Fault]:
        """What keeps it from being built for such data, each at its place in the job."""
        return []

    def network(self, shape: InputShape, outputs: int) -> Call:
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

    def _output(self, width: int, outputs: int) -> list[Layer]:
        """The last layer, from `width` numbers to the outputs."""
        bent = [self.output_activation.layer()] if self.output_activation else []
        return [linear(width, outputs), *bent]


class LinearModel(ModelEntry):
    """One linear layer: linear regression, or softmax regression with cross-entropy."""

    formula = "z = W x + b"
    paper = "Gauss 1809; Cox 1958 for classes"
    pitfall = "It parts classes by straight lines only: spirals stay at the level of guessing."
    name: Literal["linear"] = "linear"

    def network(self, shape: InputShape, outputs: int) -> Call:
        return sequential(self._output(shape.width, outputs))


class DeepEntry(ModelEntry):
    """A model with hidden layers, each with normalization, activation and dropout."""

    activation: Activation = Relu()
    """What bends each hidden layer's output."""
    normalization: Normalization = NoNormalization()
    """What keeps each hidden layer's output at a steady size."""
    normalization_place: Literal["before_activation", "after_activation"] = "before_activation"
    """Where the normalization stands; one that acts on weights stands nowhere else."""
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Share of hidden outputs that is set to 0 in training; the others are scaled up to make up for it."""

    @property
    def uses_batch_statistics(self) -> bool:
        return self.normalization.batch_statistics

    def initialize(self, model: Any, inputs: Any) -> Call | None:
        return self.initialization.start(model, inputs, slope=self.activation.slope)

    def _hidden(self, layer: Layer, width: int, *, spatial: bool, pool: Iterable[Layer] = ()) -> list[Layer]:
        """A hidden layer and all that belongs to it."""
        normalized = self.normalization.layer(width, spatial)
        around = [normalized] if normalized else []
        bent = [self.activation.layer()]
        ordered = around + bent if self.normalization_place == "before_activation" else bent + around
        dropped = [Layer("torch.nn.Dropout", (self.dropout,))] if self.dropout else []
        return [self.normalization.wrap(layer), *ordered, *pool, *dropped]

    def _misfits(self, hidden: Iterable[tuple[int, int]]) -> list[Fault]:
        """What does not go together, for hidden layers of these widths and places."""
        unfit = [reason for width, places in hidden if (reason := self.normalization.unfit(width, places))]
        faults = [Fault(pointer="/model/normalization", code="normalization_unfit", message=unfit[0])] if unfit else []
        reason = self.initialization.unfit(self.normalization)
        if reason:
            faults.append(Fault(pointer="/model/initialization", code="initialization_unfit", message=reason))
        return faults


class Mlp(DeepEntry):
    """Linear layers, each with normalization, activation and dropout, and a linear one at the end."""

    formula = "h = dropout(activation(normalization(W h + b))) for each of hidden;  z = W h + b"
    paper = "Rumelhart, Hinton and Williams 1986"
    pitfall = "It knows nothing of neighbours: for images a cnn needs fewer weights and gets further."

    name: Literal["mlp"] = "mlp"
    hidden: Annotated[list[Width], MinLen(1), MaxLen(64)] = [128, 128]
    """Width of each hidden layer."""

    def faults(self, shape: InputShape) -> list[Fault]:
        return self._misfits((width, 1) for width in self.hidden)

    def network(self, shape: InputShape, outputs: int) -> Call:
        layers: list[Layer] = []
        for width_in, width in itertools.pairwise([shape.width, *self.hidden]):
            layers += self._hidden(linear(width_in, width), width, spatial=False)
        return sequential([*layers, *self._output(self.hidden[-1], outputs)])


class Cnn(DeepEntry):
    """Convolutions over an image, each with normalization, activation, pooling and dropout, then a linear layer.

    A convolution looks at a small square and does the same at every place, so what it learned in one corner it knows
    in all. For datasets whose rows are images, such as digits.
    """

    formula = (
        "h = dropout(pool(activation(normalization(K * h + b)))) for each of channels;  z = W flatten(h) + b, or of "
        "each channel's mean"
    )
    paper = "LeCun et al. 1989; Lin, Chen and Yan 2014 for the global average"
    pitfall = "Rows that are no images have no neighbours, and each pooling halves the image until nothing is left."

    name: Literal["cnn"] = "cnn"
    channels: Annotated[list[Annotated[int, Ge(1), Le(4096)]], MinLen(1), MaxLen(32)] = [16, 32]
    """Channels of each convolution."""
    kernel: Literal[1, 3, 5, 7, 9, 11] = 3
    """Side of the square that a convolution looks at; zeros around the image keep its size."""
    pool: Literal["max", "average", "stride", "none"] = "max"
    """What halves the image behind each convolution: the largest or the mean of 2 x 2 numbers, a convolution that
    goes in steps of two, or nothing."""
    head: Literal["flatten", "average"] = "flatten"
    """What the last layer sees: every number that is left, or the mean of each channel."""
    image: Annotated[Image, Strict(strict=False)] | None = None
    """Channels, height and width of a row, where the dataset does not say; a row holds them flat, in that order."""

    def faults(self, shape: InputShape) -> list[Fault]:
        image = self.image or shape.image
        if image is None:
            return [_no_image()]
        if min(image) < 1 or math.prod(image) != shape.width:
            return [_not_this_image("/model/image" if self.image else "/model/name", image, shape.width)]
        sizes = self._sizes(image)
        if self.pool in ("max", "average") and min(sizes[-1]) < 2:
            return [_image_too_small(image, len(self.channels))]
        return self._misfits(zip(self.channels, (math.prod(size) for size in sizes), strict=True))

    def network(self, shape: InputShape, outputs: int) -> Call:
        image = self.image or shape.image
        if image is None:
            raise ValueError("a cnn needs an image")
        layers = [Layer("torch.nn.Unflatten", (1, image))]
        step = 2 if self.pool == "stride" else 1
        sizes = self._sizes(image)
        for (channels_in, channels), size in zip(itertools.pairwise([image[0], *self.channels]), sizes, strict=True):
            layer = convolution(channels_in, channels, self.kernel, step, math.prod(size))
            layers += self._hidden(layer, channels, spatial=True, pool=self._pooling())
        height, width = self._pooled(sizes[-1])
        if self.head == "average":
            # Not AdaptiveAvgPool2d, whose gradient on a GPU is not the same every time.
            layers.append(Layer("torch.nn.AvgPool2d", ((height, width),)))
            height = width = 1
        width_left = self.channels[-1] * height * width
        return sequential([*layers, Layer("torch.nn.Flatten"), *self._output(width_left, outputs)])

    def _sizes(self, image: Image) -> list[tuple[int, int]]:
        """Height and width of what each convolution gives."""
        sizes: list[tuple[int, int]] = []
        height, width = image[1:]
        for _ in self.channels:
            if self.pool == "stride":
                height, width = (height + 1) // 2, (width + 1) // 2
            sizes.append((height, width))
            height, width = self._pooled((height, width))
        return sizes

    def _pooled(self, size: tuple[int, int]) -> tuple[int, int]:
        return (size[0] // 2, size[1] // 2) if self.pool in ("max", "average") else size

    def _pooling(self) -> list[Layer]:
        pools = {"max": "torch.nn.MaxPool2d", "average": "torch.nn.AvgPool2d"}
        return [Layer(pools[self.pool], (2,))] if self.pool in pools else []


def _no_image() -> Fault:
    return Fault(
        pointer="/model/name",
        code="no_image",
        message="a cnn needs images, and the rows of this dataset are not known to be any; take an mlp, or set "
        "model.image to [channels, height, width]",
    )


def _not_this_image(pointer: str, image: Image, width: int) -> Fault:
    shown = " x ".join(str(size) for size in image)
    return Fault(
        pointer=pointer,
        code="not_this_image",
        message=f"an image of {shown} has {math.prod(image)} numbers, and a row of the network's input has {width}",
    )


def _image_too_small(image: Image, poolings: int) -> Fault:
    return Fault(
        pointer="/model/channels",
        code="image_too_small",
        message=f"{poolings} poolings leave nothing of an image of {image[1]} x {image[2]}; use fewer channels in the "
        "list, or set pool to stride or none",
    )


Model = Annotated[ModelEntry, OneOf(ModelEntry)]
