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


@dataclass(frozen=True)
class InputShape:
    """What a row of a network's input is."""

    width: int
    """How many numbers it has."""
    array: Array | None = None
    """Its axes, where it is more than a list of columns."""
    categories: Mapping[int, int] = field(default_factory=dict[int, int])
    """How many values each column has that holds the codes of categories, by the place of the column."""
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
    """The call that makes one layer, and what is known of the layer before it is made."""

    parameters: Mapping[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    """Shape of each parameter, by the name and in the order of torch's `named_parameters`."""
    places: int = 1
    """How often a row uses each parameter: a convolution at every place of its output."""


def linear(inputs: int, outputs: int) -> Layer:
    """`y = W x + b` from (rows, inputs) to (rows, outputs)."""
    return Layer("torch.nn.Linear", (inputs, outputs), {}, {"weight": (outputs, inputs), "bias": (outputs,)})


def convolution(inputs: int, outputs: int, kernel: int, stride: int, places: int) -> Layer:
    """A square kernel over images (rows, inputs, height, width), padded with zeros so that it sees the edges too.

    Args:
        inputs: channels that it reads.
        outputs: channels that it writes.
        kernel: side of the square, odd.
        stride: step between two places.
        places: how many places its output has.
    """
    shapes = {"weight": (outputs, inputs, kernel, kernel), "bias": (outputs,)}
    knobs = {"stride": stride, "padding": kernel // 2}
    return Layer("torch.nn.Conv2d", (inputs, outputs, kernel), knobs, shapes, places)


def sequential(layers: Iterable[Layer]) -> Call:
    """The network of these layers, one after the other."""
    return Call("torch.nn.Sequential", tuple(layers))


def parameter_shapes(network: Call) -> dict[str, tuple[int, ...]]:
    """Shape of each parameter of a `sequential` network, by name and in the order of torch's `named_parameters`."""
    return {
        f"{place}.{name}": shape
        for place, layer in enumerate(_layers(network))
        for name, shape in layer.parameters.items()
    }


def parameter_count(network: Call) -> int:
    """How many numbers a `sequential` network learns."""
    return sum(math.prod(shape) for shape in parameter_shapes(network).values())


def multiplications(network: Call) -> int:
    """About how many multiplications one row costs on its way forward through a `sequential` network."""
    return sum(layer.places * math.prod(shape) for layer in _layers(network) for shape in layer.parameters.values())


def _layers(network: Call) -> Sequence[Layer]:
    return network.args
