"""A network as people draw it: blocks instead of modules, and what repeats said once."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from api_schemas.catalog.call import Call
from api_schemas.catalog.flow import leaving, unwrapped
from api_schemas.catalog.layers import Array, Layer, parameter_count, parameter_shapes, shown


@dataclass(frozen=True)
class Box:
    """A layer with weights of its own, and what stands around it."""

    before: tuple[str, ...]
    """What a row goes through first."""
    title: str
    after: tuple[str, ...]
    """What a row goes through last, such as a normalization and an activation."""
    leaving: Array
    """Axes of what leaves the last of them."""
    parameters: int


@dataclass(frozen=True)
class Branch:
    """Units whose result is added to what they were given."""

    body: tuple[Unit, ...]
    shortcut: tuple[Box, ...]
    """What the input goes through on its way past them; nothing where it stays as it is."""
    after: tuple[str, ...]
    """What bends the sum."""


@dataclass(frozen=True)
class Repeat:
    """Units that follow each other several times, the same in everything but their weights."""

    units: tuple[Unit, ...]
    times: int


Unit = Box | Branch | Repeat


_RESIDUAL = "training.layers.Residual"


def outline(network: Layer, arriving: Array) -> tuple[Unit, ...]:
    """The units of a network, in the order in which a row goes through them.

    Args:
        network: of a description.
        arriving: axes of a row of its input.
    """
    return _folded(list(_units(list(_flat(network)), arriving)))


def parameters(units: Sequence[Unit]) -> int:
    """How many numbers they learn, repetitions and shortcuts with them."""
    return sum(_parameters(unit) for unit in units)


def _parameters(unit: Unit) -> int:
    match unit:
        case Box():
            return unit.parameters
        case Branch():
            return parameters(unit.body) + parameters(unit.shortcut)
        case Repeat():
            return unit.times * parameters(unit.units)


def _flat(layer: Layer) -> Iterator[Layer]:
    """The layers behind each other, without the sequences that hold them."""
    match layer.target.rpartition(".")[2]:
        case "Sequential":
            for child in layer.children.values():
                yield from _flat(child)
        case "TiedScores":
            for child in layer.children.values():
                yield from _flat(child)
            vocabulary, _, width = layer.children["embedding"].args
            yield Layer("torch.nn.Linear", (width, vocabulary), {"tied": "to the embedding"}, products=layer.products)
        case "Identity":
            pass
        case _:
            yield layer


def _units(layers: Sequence[Layer], arriving: Array) -> Iterator[Unit]:
    """Boxes around the layers with weights, and branches; folded within, not yet among each other."""
    left = deque(layers)
    while left:
        if left[0].target == _RESIDUAL:
            layer = left.popleft()
            added = leaving(layer, arriving)
            yield _branch(layer, _taken(left, partial(_only_bends, added)), arriving)
            arriving = added
        else:
            group = _taken(left, _fits)
            yield _box(group, arriving)
            arriving = _through(group, arriving)


def _taken(left: deque[Layer], fits: Callable[[Layer, Sequence[Layer]], bool]) -> list[Layer]:
    """The first layers, as long as the next one fits to those that were taken."""
    taken: list[Layer] = []
    while left and fits(left[0], taken):
        taken.append(left.popleft())
    return taken


def _fits(layer: Layer, group: Sequence[Layer]) -> bool:
    """Whether it belongs into the box of the layers before it, which has one with weights."""
    opens = _is_main(layer) or layer.target == "torch.nn.ConstantPad1d"  # zeros are for the layer behind them
    return layer.target != _RESIDUAL and not (opens and any(map(_is_main, group)))


def _only_bends(axes: Array, layer: Layer, _group: Sequence[Layer]) -> bool:
    """Whether it is an activation or the like, which has no parameters and leaves each number in its place."""
    return not parameter_shapes(layer) and layer.target.startswith("torch.nn.") and leaving(layer, axes) == axes


def _branch(layer: Layer, after: Sequence[Layer], arriving: Array) -> Branch:
    body, shortcut = (list(_units(list(_flat(layer.children[way])), arriving)) for way in ("body", "shortcut"))
    past = tuple(unit for unit in shortcut if isinstance(unit, Box))
    return Branch(_folded(body), past, tuple(label(bend) for bend in after))


def _box(group: Sequence[Layer], arriving: Array) -> Box:
    """The box of some layers of which at most one has weights."""
    main = next((place for place, layer in enumerate(group) if _is_main(layer)), 0)
    labels = [label(layer) for layer in group]
    count = sum(map(parameter_count, group))
    return Box(tuple(labels[:main]), labels[main], tuple(labels[main + 1 :]), _through(group, arriving), count)


def _through(layers: Sequence[Layer], arriving: Array) -> Array:
    for layer in layers:
        arriving = leaving(layer, arriving)
    return arriving


def _is_main(layer: Layer) -> bool:
    """Whether it has a matrix, or multiplies what it is given with itself."""
    return layer.products > 0 or any(len(shape) > 1 for shape in parameter_shapes(layer).values())


def label(layer: Call) -> str:
    """A layer's name and what sets it apart: `Conv2d 3 x 3, stride 2`."""
    inner = layer.kwargs.get("layer")
    if isinstance(inner, Call):  # what only hands its rows to another, or takes its answer apart
        return label(inner)
    call = unwrapped(layer)
    name, knobs = call.target.rpartition(".")[2], call.kwargs
    said = [
        f"stride {knobs['stride']}" if name.startswith("Conv") and knobs.get("stride", 1) != 1 else "",
        f"dilation {knobs['dilation']}" if "dilation" in knobs else "",
        f"{_heads(call)} heads" if "Attention" in name else "",
        f"{knobs['members']} members" if "members" in knobs else "",
        f"tied {knobs['tied']}" if "tied" in knobs else "",
        "both ways" if knobs.get("bidirectional") else "",
        label(knobs["activation"]) if "activation" in knobs else "",
        layer.target.rpartition(".")[2].replace("_", " ") if call is not layer else "",
    ]
    return ", ".join([f"{name} {_size(name, call)}".strip(), *(part for part in said if part)])


def _size(name: str, call: Call) -> str:
    """The numbers that belong to a name: a convolution's or pooling's kernel, a dropout's share."""
    if name.startswith("Conv"):
        return " x ".join([str(call.args[2])] * int(name[4]))
    if "Pool" in name:
        kernel, axes = call.args[0], int(name[-2])
        return shown(kernel if isinstance(kernel, tuple) else (kernel,) * axes)
    return f"{call.args[0]:g}" if name == "Dropout" else ""


def _heads(call: Call) -> int:
    return call.kwargs["heads"] if "heads" in call.kwargs else call.args[1]


def _folded(units: list[Unit]) -> tuple[Unit, ...]:
    """Units of which those that follow each other several times are said once."""
    folded: list[Unit] = []
    start = 0
    while start < len(units):
        period, times = _repetition(units, start)
        found = tuple(units[start : start + period])
        folded += [Repeat(found, times)] if times > 1 else found
        start += period * times
    return tuple(folded)


def _repetition(units: Sequence[Unit], start: int) -> tuple[int, int]:
    """How many units from here on repeat, and how often: those that cover most; (1, 1) where none do."""
    best = (1, 1)
    for period in range(1, (len(units) - start) // 2 + 1):
        times = 1
        while units[start : start + period] == units[start + times * period : start + (times + 1) * period]:
            times += 1
        if times > 1 and period * times > math.prod(best):
            best = (period, times)
    return best
