"""What something costs while something else grows: the table and the picture of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from service.plot_axes import Axis
from service.plot_paper import sheet
from service.plot_text import text

Costs = Mapping[str, Mapping[int, float]]
"""Milliseconds by what was done and how much there was."""

_COLOURS = ("train", "val", "test", "bad", "axis")


def milliseconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def table(costs: Costs, sizes: Sequence[int]) -> str:
    """The costs as Markdown, a line for each thing done."""
    lines = [f"| milliseconds | {' | '.join(f'{size:,}' for size in sizes)} |\n| --- {'| --- ' * len(sizes)}|"]
    for name, line in costs.items():
        cells = [f"{line[size]:.1f}" if size in line else "" for size in sizes]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def plot(costs: Costs, title: str, grows: str, width: int = 860, height: int = 420) -> str:
    """The costs over what grows, both on log scales, as SVG."""
    sizes = sorted({size for line in costs.values() for size in line})
    x = Axis.around(sizes, 72, width - 210, log=True, pad=0.02)
    y = Axis.around([cost for line in costs.values() for cost in line.values()], height - 60, 78, log=True)
    elements = [*_grid(x, y, grows)]
    for (_, line), colour in zip(costs.items(), _COLOURS, strict=False):
        points = "L".join(f"{x(size)} {y(cost)}" for size, cost in line.items())
        elements.append(f'<path class="line {colour}" d="M{points}"/>')
    elements += _names(costs, x, y)
    said = "; ".join(f"{name}: {line[min(line)]:.1f} to {line[max(line)]:.1f} ms" for name, line in costs.items())
    return sheet(title, f"milliseconds over {grows}", elements, width, height, description=said)


def _names(costs: Costs, x: Axis, y: Axis) -> Iterator[str]:
    """Each at the end of its line, or as near to it as there is room."""
    ends = sorted(((y(line[max(line)]) + 4, x(max(line)) + 8, name) for name, line in costs.items()), reverse=True)
    below = float("inf")
    for height, place, name in ends:
        below = min(height, below - 16)
        yield text(place, below, name)


def _grid(x: Axis, y: Axis, grows: str) -> Iterator[str]:
    for value, label in y.ticks(6):
        yield f'<path class="grid" d="M{x.start} {y(value)}H{x.end}"/>'
        yield text(x.start - 8, y(value) + 4, label, anchor="end")
    for value, label in x.ticks(6):
        yield f'<path class="axis" d="M{x(value)} {y.start}v4"/>'
        yield text(x(value), y.start + 18, label, anchor="middle")
    yield f'<path class="axis" d="M{x.start} {y.start}H{x.end}"/>'
    yield text((x.start + x.end) / 2, y.start + 40, grows, anchor="middle")
