"""What leaves each layer of a network, known before it is built."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import reduce

from api_schemas.catalog.call import Call
from api_schemas.catalog.layers import Array, InputShape, Layer, convolved


def entering(shape: InputShape) -> Array:
    """The axes of what enters a network."""
    return (shape.width,)


def unwrapped(call: Call) -> Call:
    """The layer that a normalization of weights was given; any other is itself."""
    inner = next(iter(call.args), None)
    return unwrapped(inner) if isinstance(inner, Call) and not isinstance(inner, Layer) else call


def leaving(layer: Call, arriving: Array) -> Array:
    """The axes of what a layer makes of a row; one that is not known here is taken to keep them.

    Args:
        layer: of a network that can be built.
        arriving: axes of a row where it arrives.
    """
    call = unwrapped(layer)
    rule = _RULES.get(call.target)
    return rule(call, arriving) if rule else arriving


def leaves(layer: Layer, arriving: Array) -> Iterator[tuple[Layer, Array]]:
    """The layers that are not made of others, each with the axes of what leaves it, in their order."""
    if layer.target in (_SEQUENTIAL, _RESIDUAL, _TIED):
        for child in layer.children.values():
            follows = layer.target != _RESIDUAL
            yield from leaves(child, arriving)
            arriving = leaving(child, arriving) if follows else arriving
    else:
        yield layer, leaving(layer, arriving)


def _each(call: Call, arriving: Array) -> Array:
    return reduce(lambda axes, layer: leaving(layer, axes), call.args, arriving)


def _linear(call: Call, arriving: Array) -> Array:
    return (*arriving[:-1], call.args[1])


def _convolution(call: Call, arriving: Array) -> Array:
    _, channels, kernel = call.args
    knobs = (call.kwargs.get("stride", 1), call.kwargs.get("padding", 0), call.kwargs.get("dilation", 1))
    return (channels, *convolved(arriving[1:], kernel, *knobs))


def _pooling(call: Call, arriving: Array) -> Array:
    size, kernel = arriving[1:], call.args[0]
    kernels = kernel if isinstance(kernel, tuple) else (kernel,) * len(size)
    strides = (call.kwargs["stride"],) * len(size) if "stride" in call.kwargs else kernels
    return (
        arriving[0],
        *((length - one) // step + 1 for length, one, step in zip(size, kernels, strides, strict=True)),
    )


def _flatten(call: Call, arriving: Array) -> Array:
    kept = (call.args[0] if call.args else 1) - 1
    return (*arriving[:kept], math.prod(arriving[kept:]))


def _recurrent(call: Call, arriving: Array) -> Array:
    layer = call.kwargs["layer"]
    return (arriving[0], layer.args[1] * (2 if layer.kwargs.get("bidirectional") else 1))


def _embeddings(call: Call, _arriving: Array) -> Array:
    width, tables = call.args
    return (width - len(tables) + sum(learned for _, learned in tables.values()),)


def _tied(call: Call, arriving: Array) -> Array:
    return (*arriving, call.kwargs["embedding"].args[0])


def _first(_call: Call, arriving: Array) -> Array:
    return arriving[1:]


_SEQUENTIAL = "torch.nn.Sequential"
_RESIDUAL = "training.layers.Residual"
_TIED = "training.layers_language.TiedScores"
_RULES: dict[str, Callable[[Call, Array], Array]] = {
    _SEQUENTIAL: _each,
    _RESIDUAL: lambda call, arriving: leaving(call.kwargs["body"], arriving),
    _TIED: _tied,
    "torch.nn.Linear": _linear,
    "torch.nn.Conv1d": _convolution,
    "torch.nn.Conv2d": _convolution,
    "torch.nn.MaxPool1d": _pooling,
    "torch.nn.MaxPool2d": _pooling,
    "torch.nn.AvgPool1d": _pooling,
    "torch.nn.AvgPool2d": _pooling,
    "torch.nn.Flatten": _flatten,
    "torch.nn.Unflatten": lambda call, arriving: (*call.args[1], *arriving[1:]),
    "torch.nn.ConstantPad1d": lambda call, arriving: (*arriving[:-1], arriving[-1] + sum(call.args[0])),
    "training.layers.Transpose": lambda _call, arriving: (arriving[1], arriving[0]),
    "training.layers.Outputs": _recurrent,
    "training.layers.LastStep": _first,
    "training.layers.FirstToken": _first,
    "training.layers.MeanStep": _first,
    "training.layers.ClassToken": lambda _call, arriving: (arriving[0] + 1, *arriving[1:]),
    "training.layers_language.TokenEmbedding": lambda call, arriving: (*arriving, call.args[2]),
    "training.layers_table.Embeddings": _embeddings,
    "training.layers_table.FeatureTokens": lambda call, arriving: (*arriving, call.args[1]),
    "training.layers_table.Gated": lambda _call, arriving: (*arriving[:-1], arriving[-1] // 2),
    "training.layers_members.Members": lambda call, arriving: (call.args[0], *arriving),
    "training.layers_members.SharedLinear": lambda call, arriving: leaving(call.kwargs["linear"], arriving),
    "training.layers_members.OwnLinear": lambda call, arriving: (arriving[0], call.args[2]),
    "training.layers_members.MembersAsRows": _first,
}
