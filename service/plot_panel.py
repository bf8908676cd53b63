"""A plot of curves over the steps, as elements of an SVG document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from api_schemas.curves import Series
from service.plot_axes import Axis, number
from service.plot_text import text

_DOTS = 80
"""A line of at most this many points shows each of them."""


@dataclass(frozen=True)
class Panel:
    """One plot of the picture: its curves over the steps."""

    label: str
    series: list[Series]
    x: Axis
    y: Axis

    def draw(self) -> Iterator[str]:
        """The elements of the plot, from the back to the front."""
        yield from self._grid()
        for series in self.series:
            yield from self._curve(series)
            yield from self._crosses(series)
        yield from self._legend()
        if not any(series.step for series in self.series):
            middle = (self.x.start + self.x.end) / 2, (self.y.start + self.y.end) / 2
            yield text(*middle, "no points yet", anchor="middle")

    def _grid(self) -> Iterator[str]:
        left, right, bottom, top = self.x.start, self.x.end, self.y.start, self.y.end
        for value, label in self.y.ticks(max(4, round((bottom - top) / 45))):
            height = self.y(value)
            yield f'<path class="grid" d="M{left} {height}H{right}"/>'
            yield text(left - 8, height + 4, label, anchor="end")
        for value, label in self.x.ticks(6, whole=True):
            yield f'<path class="axis" d="M{self.x(value)} {bottom}v4"/>'
            yield text(self.x(value), bottom + 18, label, anchor="middle")
        yield f'<path class="axis" d="M{left} {bottom}H{right}"/>'
        middle = round((top + bottom) / 2)
        label = f"{self.label} (log)" if self.y.log else self.label
        yield f'<g transform="translate(18 {middle}) rotate(-90)">{text(0, 0, label, anchor="middle")}</g>'

    def _curve(self, series: Series) -> Iterator[str]:
        colour = _colour(series)
        if series.sampled and series.min and series.max:
            for run in _runs(series.step, series.max, series.min):
                upper = [f"{self.x(step)} {self.y(high)}" for step, high, _ in run]
                lower = [f"{self.x(step)} {self.y(low)}" for step, _, low in reversed(run)]
                yield f'<path class="band {colour}-fill" d="M{"L".join(upper + lower)}Z"/>'
        runs = list(_runs(series.step, drawn(series)))
        for run in runs:
            points = "L".join(f"{self.x(step)} {self.y(value)}" for step, value in run)
            yield f'<path class="line {colour}" d="M{points}"/>'
        count = sum(len(run) for run in runs)
        for step, value in (point for run in runs for point in run if count <= _DOTS or len(run) == 1):
            yield f'<circle class="{colour}-fill" cx="{self.x(step)}" cy="{self.y(value)}" r="2.6"/>'

    def _crosses(self, series: Series) -> Iterator[str]:
        for odd in series.nonfinite:
            x, y = self.x(odd.step), self.y.end + 8
            hint = escape(f"{series.key} is {odd.value} at step {odd.step:,}")
            yield f'<path class="cross bad" d="M{x - 4} {y - 4}l8 8m0 -8l-8 8"><title>{hint}</title></path>'

    def _legend(self) -> Iterator[str]:
        left, top = self.x.end + 20, self.y.end + 12
        for row, series in enumerate(self.series):
            y = top + row * 44
            yield f'<rect class="{_colour(series)}-fill" x="{left}" y="{y - 6}" width="14" height="3" rx="1.5"/>'
            yield text(left + 22, y, series.key)
            yield text(left + 22, y + 17, last(series), css="value")
        crossed = [series for series in self.series if series.nonfinite]
        for row, series in enumerate(crossed, start=len(self.series)):
            first, y = series.nonfinite[0], top + row * 44
            more = f" and {len(series.nonfinite) - 1:,} more" if len(series.nonfinite) > 1 else ""
            yield f'<path class="cross bad" d="M{left + 3} {y - 9}l8 8m0 -8l-8 8"/>'
            yield text(left + 22, y, f"{first.value} at step {first.step:,}", css="bad-fill")
            yield text(left + 22, y + 17, f"in {series.key}{more}", css="small")


def drawn(series: Series) -> list[float | None]:
    """What the line follows: the mean of each bucket, or the values themselves."""
    return series.mean if series.sampled and series.mean else series.value


def last(series: Series) -> str:
    """The last value of a curve."""
    values = [value for value in series.value if value is not None]
    return number(values[-1]) if values else "-"


def _runs(steps: Sequence[int], *columns: Sequence[float | None]) -> Iterator[list[tuple[float, ...]]]:
    """Rows of (step, value, ...) in stretches without a gap: a missing value breaks a line in two."""
    run: list[tuple[float, ...]] = []
    for step, *values in zip(steps, *columns, strict=True):
        finite = [value for value in values if value is not None]
        if len(finite) == len(values):
            run.append((step, *finite))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _colour(series: Series) -> str:
    split = series.key.split("/")[0]
    return split if split in {"train", "val", "test"} else "train"
