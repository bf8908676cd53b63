"""A network's architecture as a picture that stands alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from api_schemas.catalog.flow import entering
from api_schemas.catalog.layers import InputShape, Layer, shown
from service.outline import Box, Branch, Repeat, Unit, outline, parameters
from service.plot_paper import sheet
from service.plot_text import shorten, text

_LINE = 16
"""Pixels of a line of text."""
_GAP = 20
"""Pixels between two units, for an arrow."""
_PAD = 14
"""Pixels between a frame and what is in it."""
_LANE, _TIMES = 30, 46
"""Pixels at the side of a frame: for the way past a branch, and for how often units repeat."""
_FACTS = 150
"""Pixels at the right of a box, for axes and parameters."""
_LETTER = 6.6
"""About how many pixels a letter is wide."""
_TOP, _SIDE, _BOTTOM = 76, 24, 40


@dataclass(frozen=True)
class _Column:
    """Where units stand below each other."""

    left: float
    right: float
    total: int
    """Parameters of the whole network."""

    @property
    def middle(self) -> float:
        return (self.left + self.right) / 2

    def inner(self, left: float, right: float) -> _Column:
        """The column within a frame."""
        return _Column(self.left + left, self.right - right, self.total)


def network_svg(title: str, subtitle: str, network: Layer, shape: InputShape, *, width: int = 640) -> str:
    """Draw a network from its input down to its scores.

    A box is a layer with weights, and what belongs to it; at its right stand the axes of what leaves it and how many
    numbers it learns. A frame is what is added to its own input, or what repeats.

    Args:
        title: any text.
        subtitle: a line below it; any text.
        network: as it is described before it is built.
        shape: of a row of its input.
        width: of the picture in pixels, at least 480.
    """
    arriving = entering(shape)
    units = outline(network, arriving)
    column = _Column(_SIDE, width - _SIDE, parameters(units))
    drawn, bottom = _input(shape, column)
    below, bottom = _stack(units, column, bottom)
    height = round(bottom + _BOTTOM)
    note = text(_SIDE, height - 14, "A bar shows the share of all parameters that a layer has.", css="small")
    return sheet(title, subtitle, [*drawn, *below, note], width, height, description=_told(units, shape))


def _told(units: Sequence[Unit], shape: InputShape) -> str:
    """The picture in words, for those who do not see it."""
    return f"From {_axes(shape)}: {'; '.join(_sentence(unit) for unit in units)}"


def _sentence(unit: Unit) -> str:
    match unit:
        case Box():
            return f"{', '.join([*unit.before, unit.title, *unit.after])} to {shown(unit.leaving)}"
        case Branch():
            return ", ".join([f"added to its input ({'; '.join(map(_sentence, unit.body))})", *unit.after])
        case Repeat():
            return f"{unit.times} times ({'; '.join(map(_sentence, unit.units))})"


def _axes(shape: InputShape) -> str:
    if shape.tokens:
        return f"{shape.tokens[0]:,} tokens, {shape.tokens[1]:,} different ones"
    return shown(shape.array) if shape.array else f"{shape.width:,} numbers"


def _input(shape: InputShape, column: _Column) -> tuple[list[str], float]:
    label = f"a row: {_axes(shape)}"
    return [text(column.middle, _TOP + 12, label, anchor="middle", css="value")], _TOP + 20


def _stack(units: Sequence[Unit], column: _Column, top: float, *, arrow: bool = True) -> tuple[list[str], float]:
    """Units below each other, an arrow before each; also returns where the last one ends."""
    drawn: list[str] = []
    for place, unit in enumerate(units):
        if place or arrow:
            drawn.append(_arrow(column.middle, top))
            top += _GAP
        elements, top = _unit(unit, column, top)
        drawn += elements
    return drawn, top


def _arrow(x: float, top: float) -> str:
    return f'<path class="way" d="M{x} {top + 2}V{top + _GAP - 3}m-4 -5l4 5l4 -5"/>'


def _unit(unit: Unit, column: _Column, top: float) -> tuple[list[str], float]:
    match unit:
        case Box():
            return _box(unit, column, top)
        case Branch():
            return _branch(unit, column, top)
        case Repeat():
            return _repeat(unit, column, top)


def _box(box: Box, column: _Column, top: float) -> tuple[list[str], float]:
    width = column.right - column.left
    letters = int((width - _FACTS - _PAD) / _LETTER)
    before, after = _wrapped(box.before, letters), _wrapped(box.after, letters)
    lines = [*((line, "") for line in before), (box.title, "value"), *((line, "") for line in after)]
    height = max(2 if box.parameters else 1, len(lines)) * _LINE + 14
    drawn = [
        f'<rect class="box" x="{column.left}" y="{top}" width="{width}" height="{height}" rx="6"/>',
        *(
            text(column.left + _PAD, top + 20 + place * _LINE, shorten(line, letters), css=css)
            for place, (line, css) in enumerate(lines)
        ),
        text(column.right - _PAD, top + 20, shown(box.leaving), anchor="end", css="value"),
    ]
    if box.parameters:
        share = f'width="{width * box.parameters / column.total:.1f}" height="3" rx="1.5"'
        drawn.append(f'<rect class="train-fill" x="{column.left}" y="{top + height - 3}" {share}/>')
        count = f"{box.parameters:,} parameter{'s' if box.parameters > 1 else ''}"
        drawn.append(text(column.right - _PAD, top + 20 + _LINE, count, anchor="end", css="small"))
    return drawn, top + height


def _wrapped(labels: Sequence[str], letters: int) -> list[str]:
    """Labels in as few lines as they fit into, with arrows between them."""
    lines: list[str] = []
    for label in labels:
        if lines and len(lines[-1]) + 3 + len(label) <= letters:
            lines[-1] += f" → {label}"
        else:
            lines.append(label)
    return lines


def _branch(branch: Branch, column: _Column, top: float) -> tuple[list[str], float]:
    """A frame around the long way, and a line past it to where both are added."""
    inner = column.inner(_LANE, _PAD)
    body, bottom = _stack(branch.body, inner, top + _PAD, arrow=False)
    lane, x, plus = column.left + _LANE / 2, inner.middle, bottom + _GAP
    past = [part for box in branch.shortcut for part in (*box.before, box.title, *box.after)]
    size = f'width="{column.right - column.left}" height="{plus + _PAD - top}"'
    drawn = [
        f'<rect class="frame" x="{column.left}" y="{top}" {size} rx="8"/>',
        f'<path class="way" d="M{x} {top}V{top + _PAD}M{x} {top + _PAD / 2}H{lane}V{plus}H{x - 9}m-5 -4l5 4l-5 4"/>',
        f'<path class="way" d="M{x} {bottom + 2}V{plus - 9}M{x - 4} {plus}h8m-4 -4v8"/>',
        f'<circle class="sum" cx="{x}" cy="{plus}" r="8"/>',
        text(lane + 8, plus - 6, shorten(" → ".join(past), int((x - lane - 30) / 6)), css="small"),
        text(x + 18, plus + 4, " → ".join(branch.after)),
    ]
    return [*drawn, *body], plus + _PAD


def _repeat(repeat: Repeat, column: _Column, top: float) -> tuple[list[str], float]:
    """A dashed frame around what follows itself, and how often at its right."""
    drawn, bottom = _stack(repeat.units, column.inner(_PAD, _PAD + _TIMES), top + _PAD, arrow=False)
    bottom += _PAD
    frame = f'x="{column.left}" y="{top}" width="{column.right - column.left}" height="{bottom - top}"'
    times = text(column.right - 10, (top + bottom) / 2 + 5, f"x {repeat.times}", anchor="end", css="title")
    return [f'<rect class="again" {frame} rx="8"/>', *drawn, times], bottom
