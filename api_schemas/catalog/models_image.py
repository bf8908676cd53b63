"""Models of images, or of sequences seen as images with one axis: the convolutional ones."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from annotated_types import Ge, Le, MaxLen, MinLen

from api_schemas.catalog.activations import Activation, Relu
from api_schemas.catalog.layers import (
    InputShape,
    Layer,
    Size,
    averaged,
    convolution,
    convolved,
    dropout,
    residual,
    sequence_channels,
    sequential,
    shown,
)
from api_schemas.catalog.model_entry import ArrayEntry, DeepEntry
from api_schemas.catalog.models_plain import StackEntry
from api_schemas.catalog.normalizations import BatchNorm, Normalization
from api_schemas.errors import Fault

Channels = Annotated[int, Ge(1), Le(4096)]
Kernel = Literal[1, 3, 5, 7, 9, 11]


class GridEntry(ArrayEntry):
    """A model of channels over the places of a sequence or an image."""

    dimensions: Literal["auto", 1, 2] = "auto"
    """Along how many axes it looks for neighbours: 2 for images, 1 for sequences. An array of two axes is taken for an
    image, [height, width]; with 1 it is a sequence, [length, features]."""

    def _grid(self, shape: InputShape) -> tuple[int, Size] | None:
        """Channels of a row and their size; None where a row has not as many axes."""
        if self._along(shape) == 1:
            return (shape.sequence[1], shape.sequence[:1]) if shape.sequence else None
        return (shape.image[0], shape.image[1:]) if shape.image else None

    def _along(self, shape: InputShape) -> int:
        flat = shape.array is not None and len(shape.array) == 1
        return self.dimensions if self.dimensions != "auto" else 1 if flat else 2

    def _faults(self, shape: InputShape) -> list[Fault]:
        grid = self._grid(shape)
        if grid is None:
            wanted = "sequences: [length], or [length, features]" if self._along(shape) == 1 else "images"
            return [self._wrong_axes(shape.array or (), wanted)]
        return self._unfit(*grid)

    def _unfit(self, channels: int, size: Size) -> list[Fault]:
        """What keeps it from being built for such a grid."""
        raise NotImplementedError

    def _entrance(self, shape: InputShape) -> tuple[list[Layer], int, Size]:
        """What makes a grid of a flat row, the grid's channels and its size."""
        grid = self._grid(shape)
        if grid is None:
            raise ValueError(f"a {self.name} cannot be built for an array of {shape.array}")
        channels, size = grid
        if len(size) == 1:
            return sequence_channels(size[0], channels), channels, size
        return [Layer("torch.nn.Unflatten", (1, (channels, *size)))], channels, size


class Cnn(StackEntry, GridEntry):
    """Convolutions over images or sequences, each with normalization, activation, pooling and dropout.

    A convolution looks at a small piece and does the same at every place, so what it learned in one corner it knows in
    all. A linear layer ends it. For datasets whose rows are arrays, such as digits.
    """

    formula = (
        "h = dropout(pool(activation(normalization(K * h + b)))) for each of channels;  z = W flatten(h) + b, or of "
        "each channel's mean"
    )
    paper = "LeCun et al. 1989; Lin, Chen and Yan 2014 for the global average"
    pitfall = "Columns of a table have no neighbours, and each pooling halves an image until nothing is left."

    name: Literal["cnn"] = "cnn"
    channels: Annotated[list[Channels], MinLen(1), MaxLen(32)] = [16, 32]
    """Channels of each convolution."""
    kernel: Kernel = 3
    """How far a convolution looks along each axis; zeros around an image keep its size."""
    pool: Literal["max", "average", "stride", "none"] = "max"
    """What halves each axis behind a convolution: the largest or the mean of two neighbours, a convolution that goes in
    steps of two, or nothing."""
    head: Literal["flatten", "average"] = "flatten"
    """What the last layer sees: every number that is left, or the mean of each channel."""

    def _unfit(self, channels: int, size: Size) -> list[Fault]:
        sizes = self._sizes(size)
        if self.pool in ("max", "average") and min(sizes[-1]) < 2:
            return [_image_too_small(size, len(self.channels))]
        return self._misfits(zip(self.channels, map(math.prod, sizes), strict=True))

    def _layers(self, shape: InputShape, outputs: int) -> Sequence[Layer]:
        layers, entering, size = self._entrance(shape)
        for width_in, width in itertools.pairwise([entering, *self.channels]):
            layer = convolution(width_in, width, self.kernel, size, self._stride)
            layers += self._hidden(layer, width, len(size), self._pooling(len(size)))
            size = self._pooled(convolved(size, self.kernel, self._stride))
        if self.head == "average":
            layers.append(averaged(size))
            size = (1,)
        return [*layers, Layer("torch.nn.Flatten"), *self._ending(self.channels[-1] * math.prod(size), outputs)]

    @property
    def _stride(self) -> int:
        return 2 if self.pool == "stride" else 1

    def _sizes(self, size: Size) -> list[Size]:
        """What each convolution gives."""
        sizes: list[Size] = []
        for _ in self.channels:
            sizes.append(convolved(size, self.kernel, self._stride))
            size = self._pooled(sizes[-1])
        return sizes

    def _pooled(self, size: Size) -> Size:
        return tuple(length // 2 for length in size) if self.pool in ("max", "average") else size

    def _pooling(self, axes: int) -> list[Layer]:
        pools = {"max": "MaxPool", "average": "AvgPool"}
        return [Layer(f"torch.nn.{pools[self.pool]}{axes}d", (2,))] if self.pool in pools else []


class Resnet(DeepEntry, GridEntry):
    """Convolutions in pairs, each pair added to what it was given, so that a deep network is no harder to train.

    Three stages of one width each; the first pair of the second and third halves the size, and a convolution of a
    single place then carries the input past it. 3 blocks a stage are the paper's ResNet-20, 9 its ResNet-56. Without
    `skips` it is the plain network that the paper compares it with.
    """

    formula = (
        "h = activation(h + N(K2 * activation(N(K1 * h)))) for each block, N the normalization;  z = W mean(h) + b"
    )
    paper = "He et al. 2016, section 4.2"
    pitfall = (
        "Without normalization the sum grows with every block, and the first steps may diverge; small images are one "
        "pixel wide before the last stage."
    )

    name: Literal["resnet"] = "resnet"
    activation: Activation = Relu()
    """What bends each pair's middle, and each sum."""
    normalization: Normalization = BatchNorm()
    """What keeps the output of each convolution at a steady size; `none` shows what it is for."""
    widths: Annotated[list[Channels], MinLen(1), MaxLen(8)] = [16, 32, 64]
    """Channels of each stage; every stage but the first halves the size."""
    blocks: Annotated[int, Ge(1), Le(200)] = 3
    """Pairs of convolutions in each stage."""
    kernel: Kernel = 3
    """How far a convolution looks along each axis."""
    skips: bool = True
    """Whether a pair is added to what it was given, or stands alone."""

    def _unfit(self, channels: int, size: Size) -> list[Fault]:
        return self._misfits((width, math.prod(size)) for width, size in self._stages(size))

    def _layers(self, shape: InputShape, outputs: int) -> Sequence[Layer]:
        layers, entering, size = self._entrance(shape)
        width = self.widths[0]
        layers += [*self._normalized(entering, width, self.kernel, size), self.activation.layer()]
        for stage, (stage_width, left) in enumerate(self._stages(size)):
            for block in range(self.blocks):
                layers += self._block(width, stage_width, size, 2 if stage and not block else 1)
                width, size = stage_width, left
        return [*layers, averaged(size), Layer("torch.nn.Flatten"), *self._ending(width, outputs)]

    def _stages(self, size: Size) -> Iterator[tuple[int, Size]]:
        """Width and size of each stage."""
        for stage, width in enumerate(self.widths):
            size = convolved(size, self.kernel, 2) if stage else size
            yield width, size

    def _block(self, entering: int, width: int, size: Size, stride: int) -> list[Layer]:
        pair = [
            *self._normalized(entering, width, self.kernel, size, stride),
            self.activation.layer(),
            *dropout(self.dropout),
            *self._normalized(width, width, self.kernel, convolved(size, self.kernel, stride)),
        ]
        same = entering == width and stride == 1
        past = None if same else sequential(self._normalized(entering, width, 1, size, stride))
        return [*([residual(pair, past)] if self.skips else pair), self.activation.layer()]

    def _normalized(self, entering: int, width: int, kernel: int, size: Size, stride: int = 1) -> list[Layer]:
        normalized = self.normalization.layer(width, len(size))
        layer = self.normalization.wrap(convolution(entering, width, kernel, size, stride))
        return [layer, *([normalized] if normalized else [])]


def _image_too_small(size: Size, poolings: int) -> Fault:
    return Fault(
        pointer="/model/channels",
        code="image_too_small",
        message=f"{poolings} poolings leave nothing of a size of {shown(size)}; use fewer channels in the list, or set "
        "pool to stride or none",
    )
