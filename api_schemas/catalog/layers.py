"""A network as data: its layers' calls, and the parameters that they will hold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from api_schemas.catalog.call import Call

Image = tuple[int, int, int]
"""Channels, height and width; a row holds them flat, in that order."""


@dataclass(frozen=True)
class InputShape:
    """What a row of a network's input is."""

    width: int
    """How many numbers it has."""
    image: Image | None = None
    """Its picture's shape, where it is one."""


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
