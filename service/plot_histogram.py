"""How often the values of a column occur, as a picture that stands alone."""

from __future__ import annotations

from collections.abc import Iterator

from api_schemas.datasets import Column
from service.plot_axes import Axis
from service.plot_paper import LEFT, TOP, sheet
from service.plot_text import shorten, text

_WIDTH, _HEIGHT, _FOOT, _MARGIN = 640, 360, 40, 32
_NAMES, _LINE = 190, 22
"""Pixels for the names of categories, and from one to the next."""
_MOST_BARS = 30


def histogram_svg(column: Column, subtitle: str) -> str | None:
    """Draw the ranges of numbers, or the most frequent categories, with how many values each has.

    Args:
        column: of a dataset that has been read.
        subtitle: a line below its name; any text.

    Returns:
        An SVG document that needs nothing else; None where the values of the column are not counted.
    """
    if column.stats.bins:
        return _numbers_svg(column, subtitle)
    if column.stats.counts:
        return _categories_svg(column, subtitle)
    return None


def _numbers_svg(column: Column, subtitle: str) -> str:
    subtitle += " · days since 1970-01-01" if column.stats.dates else ""
    bins, low, high = column.stats.bins, column.stats.minimum or 0.0, column.stats.maximum or 0.0
    x = Axis(low, high, LEFT, _WIDTH - _MARGIN)
    y = Axis(0, max(bins) * 1.05, _HEIGHT - _FOOT, TOP)
    described = f"{subtitle}. {len(bins)} ranges of equal width from {low:g} to {high:g}: {_said(bins)}"
    return sheet(column.name, subtitle, _standing(bins, x, y), _WIDTH, _HEIGHT, description=described)


def _standing(bins: list[int], x: Axis, y: Axis) -> Iterator[str]:
    for value, label in y.ticks(5, whole=True):
        yield f'<path class="grid" d="M{x.start} {y(value)}H{x.end}"/>'
        yield text(x.start - 8, y(value) + 4, label, anchor="end")
    for value, label in x.ticks(6):
        yield f'<path class="axis" d="M{x(value)} {y.start}v4"/>'
        yield text(x(value), y.start + 18, label, anchor="middle")
    wide = (x.end - x.start) / len(bins)
    for place, count in enumerate(bins):
        left, top = x.start + place * wide, y(count)
        size = f'width="{wide - 1:.2f}" height="{y.start - top:.2f}"'
        yield f'<rect class="train-fill" x="{left:.2f}" y="{top}" {size}><title>{count:,}</title></rect>'
    yield f'<path class="axis" d="M{x.start} {y.start}H{x.end}"/>'


def _categories_svg(column: Column, subtitle: str) -> str:
    counted = sorted(zip(column.stats.counts, column.stats.categories, strict=True), key=lambda pair: -pair[0])
    shown = counted[:_MOST_BARS]
    if len(counted) > len(shown):
        subtitle = f"{subtitle} · the {len(shown)} most frequent of {len(counted):,} categories"
    height = TOP + len(shown) * _LINE + _MARGIN // 2
    described = f"{subtitle}. {', '.join(f'{name}: {count}' for count, name in shown)}"
    return sheet(column.name, subtitle, _lying(shown), _WIDTH, height, description=described)


def _lying(counted: list[tuple[int, str]]) -> Iterator[str]:
    x = Axis(0, counted[0][0], _NAMES, _WIDTH - 3 * _MARGIN)
    for place, (count, name) in enumerate(counted):
        top = TOP + place * _LINE
        yield text(_NAMES - 8, top + 13, shorten(name, _NAMES // 8), anchor="end")
        yield f'<rect class="train-fill" x="{_NAMES}" y="{top}" width="{x(count) - _NAMES:.2f}" height="{_LINE - 5}"/>'
        yield text(x(count) + 6, top + 13, f"{count:,}", css="value")


def _said(bins: list[int]) -> str:
    return ", ".join(str(count) for count in bins)
