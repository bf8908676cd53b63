"""A network as data: its layers' calls, and the parameters that they will hold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from api_schemas.catalog.call import Call

Image = tuple[int, int, int]
"""Channels, height and width; a row holds them flat, in that order."""


Array = tuple[int, ...]
"""The axes of a row that is an array: (length,), (length, features) or (height, width), or (channels, height, width);
a row holds them flat, in that order."""


def as_image(array: Array | None) -> Image | None:
    """The picture that an array is: of three axes itself, of two one of a single channel; None where it is none."""
    if array is None or len(array) not in (2, 3):
        return None
    return (array[-3] if len(array) == 3 else 1, array[-2], array[-1])


def shown(array: Array) -> str:
    """The axes of an array for people: `3 x 32 x 32`."""
    return " x ".join(str(length) for length in array)


@dataclass(frozen=True)
class InputShape:
    """What a row of a network's input is."""

    width: int
    """How many numbers it has."""
    array: Array | None = None
    """Its axes, where it is more than a list of columns."""
    categories: Mapping[int, int] = field(default_factory=dict[int, int])
    """How many values each column has that holds the codes of categories, by the place of the column; the last of them
    stands for all categories that are not known."""
    embedding_width: int | None = None
    """How many numbers a network learns of each value; None for as many as is usual."""
    tokens: tuple[int, int] | None = None
    """Length and vocabulary, where it is text."""

    @property
    def image(self) -> Image | None:
        """Its picture's shape, where it can be seen as one."""
        return as_image(self.array)

    @property
    def sequence(self) -> tuple[int, int] | None:
        """Length and features, where it can be seen as a sequence."""
        match self.array:
            case (length,):
                return length, 1
            case (length, features):
                return length, features
            case _:
                return None


@dataclass(frozen=True)
class Layer(Call):
    """The call that makes one layer, and what is known of the layer before it is made.

    A layer that is made of others is given them: by keyword under the name of the attribute that keeps it, by place
    where they follow each other.
    """

    parameters: Mapping[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    """Shape of each parameter of its own, by the name and in the order of torch's `named_parameters`."""
    places: int = 1
    """How often a row is multiplied with each of them: a convolution at every place of its output, a table never."""
    products: int = 0
    """Multiplications of a row beside those with parameters: attention multiplies places with each other."""

    @property
    def children(self) -> dict[str, Layer]:
        """The layers that it is made of, by torch's names and in torch's order."""
        given = {**{str(place): arg for place, arg in enumerate(self.args)}, **self.kwargs}
        return {name: child for name, child in given.items() if isinstance(child, Layer)}


Size = tuple[int, ...]
"""How far an array reaches along each axis behind its channels: (length,) or (height, width)."""


def linear(inputs: int, outputs: int, places: int = 1) -> Layer:
    """`y = W x + b` from (rows, ..., inputs) to (rows, ..., outputs), for rows of so many places."""
    shapes = {"weight": (outputs, inputs), "bias": (outputs,)}
    return Layer("torch.nn.Linear", (inputs, outputs), {}, shapes, places)


def convolution(
    inputs: int, outputs: int, kernel: int, size: Size, stride: int = 1, padding: int | None = None, dilation: int = 1
) -> Layer:
    """A kernel over sequences (rows, inputs, length) or images (rows, inputs, height, width).

    Args:
        inputs: channels that it reads.
        outputs: channels that it writes.
        kernel: how many places of each axis it sees.
        size: of what it reads.
        stride: step between two places.
        padding: zeros at each end of an axis; half a kernel where it is left out, so that it sees the edges too.
        dilation: step between two places that it sees.
    """
    around = kernel // 2 if padding is None else padding
    shapes = {"weight": (outputs, inputs, *(kernel for _ in size)), "bias": (outputs,)}
    knobs = {"stride": stride, "padding": around} | ({"dilation": dilation} if dilation > 1 else {})
    places = math.prod(convolved(size, kernel, stride, around, dilation))
    return Layer(f"torch.nn.Conv{len(size)}d", (inputs, outputs, kernel), knobs, shapes, places)


def convolved(size: Size, kernel: int, stride: int = 1, padding: int | None = None, dilation: int = 1) -> Size:
    """What a convolution, or a pooling, leaves of a size; below 1 where the kernel is larger than what it reads."""
    around = kernel // 2 if padding is None else padding
    return tuple((length + 2 * around - dilation * (kernel - 1) - 1) // stride + 1 for length in size)


def dropout(share: float) -> list[Layer]:
    """Sets a share of its inputs to 0 in training; no layer where that is none."""
    return [Layer("torch.nn.Dropout", (share,))] if share else []


def embedded(shape: InputShape) -> tuple[list[Layer], int]:
    """The layer that puts learned numbers in the place of each code, where a row has any, and how wide a row is then.

    Unless it is said, a category gets half as many numbers as there are categories, at most 50 (Guo and Berkhahn 2016).
    """
    if not shape.categories:
        return [], shape.width
    tables = {
        place: (values, shape.embedding_width or min(50, values // 2))
        for place, values in sorted(shape.categories.items())
    }
    parameters = {f"tables.{index}.weight": table for index, table in enumerate(tables.values())}
    width = shape.width - len(tables) + sum(width for _, width in tables.values())
    return [Layer("training.layers_table.Embeddings", (shape.width, tables), {}, parameters, 0)], width


def averaged(size: Size) -> Layer:
    """The mean of each channel over all places, as a size of 1: adaptive pooling is not the same twice on a GPU."""
    kernel = size[0] if len(set(size)) == 1 else size
    return Layer(f"torch.nn.AvgPool{len(size)}d", (kernel,))


def sequence_steps(length: int, features: int) -> list[Layer]:
    """From flat rows to sequences (rows, length, features)."""
    return [Layer("torch.nn.Unflatten", (1, (length, features)))]


def sequence_channels(length: int, features: int) -> list[Layer]:
    """From flat rows, which hold one step after the other, to channels (rows, features, length)."""
    if features == 1:
        return [Layer("torch.nn.Unflatten", (1, (1, length)))]
    return [*sequence_steps(length, features), Layer("training.layers.Transpose")]


def residual(body: Sequence[Layer], shortcut: Layer | None = None) -> Layer:
    """`x + body(x)` (He et al. 2016), or `shortcut(x) + body(x)` where the shapes differ."""
    past = shortcut or Layer("torch.nn.Identity")
    return Layer("training.layers.Residual", (), {"body": sequential(body), "shortcut": past})


def sequential(layers: Iterable[Layer]) -> Layer:
    """These layers, one after the other."""
    return Layer("torch.nn.Sequential", tuple(layers))


def parameter_shapes(network: Layer) -> dict[str, tuple[int, ...]]:
    """Shape of each parameter of a network, by name and in the order of torch's `named_parameters`."""
    inner = {
        f"{child}.{name}": shape
        for child, layer in network.children.items()
        for name, shape in parameter_shapes(layer).items()
    }
    return {**network.parameters, **inner}


def parameter_count(network: Layer) -> int:
    """How many numbers a network learns."""
    return sum(math.prod(shape) for shape in parameter_shapes(network).values())


def multiplications(network: Layer) -> int:
    """How many multiplications one row costs on its way forward: those of matrices, beside which others do not count.

    Twice as many are the floating-point operations that `torch.utils.flop_counter` counts.
    """
    own = network.places * sum(math.prod(shape) for shape in network.parameters.values() if len(shape) > 1)
    return own + network.products + sum(multiplications(child) for child in network.children.values())
