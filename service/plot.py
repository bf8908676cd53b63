"""A job's curves as a picture that stands alone: SVG text, and the same as PNG."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import resvg_py

from api_schemas.curves import Metrics, Series

_FONTS = sorted(str(path) for path in (Path(__file__).parent / "fonts").glob("*.ttf"))
_LEFT, _RIGHT, _TOP, _BOTTOM, _GAP = 72, 190, 78, 74, 36
_SCORES = ("accuracy", "r2")
_LOG_RATIO = 50.0
"""Losses whose largest is more than this many times the smallest are drawn on a log scale unless asked otherwise."""
_DOTS = 80
"""A line of at most this many points shows each of them."""
_HUGE = 1e300
"""Values are drawn as if they ended here, and began at its inverse, so that the span of an axis stays finite."""

_STYLE = """
text{font-family:Inter,system-ui,sans-serif;font-size:12px;fill:#57606a}
.title{font-size:18px;font-weight:600;fill:#1b1f24}.value{font-weight:600;fill:#1b1f24}.small{font-size:11px}
.paper{fill:#fff}.grid{stroke:#e4e8ec;stroke-width:1}.axis{stroke:#8c959f;stroke-width:1}
.line{fill:none;stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round}.cross{fill:none;stroke-width:1.8}
.band{opacity:.24}
.train{stroke:#1d63d8}.train-fill{fill:#1d63d8}.val{stroke:#c2470a}.val-fill{fill:#c2470a}
.test{stroke:#0b7a63}.test-fill{fill:#0b7a63}.bad{stroke:#c81e3a}.bad-fill{fill:#c81e3a}
@media (prefers-color-scheme:dark){
text{fill:#9aa4b2}.title,.value{fill:#eef1f5}.paper{fill:#11151b}.grid{stroke:#232a33}.axis{stroke:#5b6673}
.train{stroke:#7db0ff}.train-fill{fill:#7db0ff}.val{stroke:#ffa366}.val-fill{fill:#ffa366}
.test{stroke:#5fd8bd}.test-fill{fill:#5fd8bd}.bad{stroke:#ff7b8f}.bad-fill{fill:#ff7b8f}
}
"""


@dataclass(frozen=True)
class Axis:
    """Where a quantity lies on the paper.

    Args:
        low: smallest value shown; on a log axis its decimal logarithm, as `high`.
        high: largest value shown, above `low`.
        start: pixel of `low`.
        end: pixel of `high`.
        log: whether equal ratios are equal distances.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    @classmethod
    def around(cls, values: Iterable[float], start: float, end: float, *, log: bool = False, pad: float = 0.05) -> Axis:
        """The axis that shows all values with some air, or 0 to 1 where there is none."""
        placed = [_place(value, log) for value in values if not log or value > 0] or [0.0, 1.0]
        low, high = min(placed), max(placed)
        air = (high - low) * pad or abs(high) * 0.1 or 0.5
        return cls(low - air, high + air, start, end, log)

    def __call__(self, value: float) -> float:
        """The pixel of a value; on a log axis what is not above 0 lies on the lower edge."""
        placed = self.low if self.log and value <= 0 else _place(value, self.log)
        return round(self.start + (placed - self.low) / (self.high - self.low) * (self.end - self.start), 2)

    def ticks(self, count: int, *, whole: bool = False) -> list[tuple[float, str]]:
        """About `count` round values in the range, only `whole` numbers if asked, each with its label."""
        if not self.log:
            return _linear_ticks(self.low, self.high, count, finest=1.0 if whole else 0.0)
        first, last = max(-300, math.ceil(self.low)), min(300, math.floor(self.high))
        if last - first >= 2:
            every = math.ceil((last - first + 1) / count)
            exponents = [power for power in range(first, last + 1) if power % every == 0]
            return [(10.0**power, _number(10.0**power)) for power in exponents]
        decades = range(math.floor(self.low), math.floor(self.high) + 1)
        round_values = [digit * 10.0**power for power in decades for digit in (1, 2, 5)]
        shown = [value for value in round_values if self.low <= math.log10(value) <= self.high]
        if len(shown) < 3:
            return _linear_ticks(10**self.low, 10**self.high, count)
        return [(value, _number(value)) for value in shown]


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
            yield _text(*middle, "no points yet", anchor="middle")

    def _grid(self) -> Iterator[str]:
        left, right, bottom, top = self.x.start, self.x.end, self.y.start, self.y.end
        for value, label in self.y.ticks(max(4, round((bottom - top) / 45))):
            height = self.y(value)
            yield f'<path class="grid" d="M{left} {height}H{right}"/>'
            yield _text(left - 8, height + 4, label, anchor="end")
        for value, label in self.x.ticks(6, whole=True):
            yield f'<path class="axis" d="M{self.x(value)} {bottom}v4"/>'
            yield _text(self.x(value), bottom + 18, label, anchor="middle")
        yield f'<path class="axis" d="M{left} {bottom}H{right}"/>'
        middle = round((top + bottom) / 2)
        label = f"{self.label} (log)" if self.y.log else self.label
        yield f'<g transform="translate(18 {middle}) rotate(-90)">{_text(0, 0, label, anchor="middle")}</g>'

    def _curve(self, series: Series) -> Iterator[str]:
        colour = _colour(series)
        if series.sampled and series.min and series.max:
            for run in _runs(series.step, series.max, series.min):
                upper = [f"{self.x(step)} {self.y(high)}" for step, high, _ in run]
                lower = [f"{self.x(step)} {self.y(low)}" for step, _, low in reversed(run)]
                yield f'<path class="band {colour}-fill" d="M{"L".join(upper + lower)}Z"/>'
        runs = list(_runs(series.step, _drawn(series)))
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
            yield _text(left + 22, y, series.key)
            yield _text(left + 22, y + 17, _last(series), css="value")
        crossed = [series for series in self.series if series.nonfinite]
        for row, series in enumerate(crossed, start=len(self.series)):
            first, y = series.nonfinite[0], top + row * 44
            more = f" and {len(series.nonfinite) - 1:,} more" if len(series.nonfinite) > 1 else ""
            yield f'<path class="cross bad" d="M{left + 3} {y - 9}l8 8m0 -8l-8 8"/>'
            yield _text(left + 22, y, f"{first.value} at step {first.step:,}", css="bad-fill")
            yield _text(left + 22, y + 17, f"in {series.key}{more}", css="small")


def curve_svg(
    title: str, subtitle: str, metrics: Metrics, *, log_y: bool | None = None, width: int = 860, height: int = 480
) -> str:
    """Draw the losses and, where there is one, the accuracy or R2 below them.

    Args:
        title: a name that a person gave; any text.
        subtitle: a line below it; any text.
        metrics: the curves; whatever is neither a loss nor a score is left out.
        log_y: whether the losses are drawn on a log scale; by default where they span more than a factor of 50.
        width: of the picture in pixels, at least 400.
        height: of the picture in pixels, at least 300.

    Returns:
        An SVG document that needs nothing else, light or dark as its reader prefers.
    """
    panels = _panels(metrics, log_y, width, height)
    drawn = "\n".join(element for panel in panels for element in panel.draw())
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return f"""<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title desc">
<title id="title">{_safe(title)}</title>
<desc id="desc">{_safe(_description(subtitle, panels))}</desc>
<style>{_STYLE}</style>
<rect class="paper" width="100%" height="100%" rx="8"/>
{_text(24, 34, _shorten(title, width // 12), css="title")}
{_text(24, 54, _shorten(subtitle, width // 8))}
{drawn}
{_text((panels[0].x.start + panels[0].x.end) / 2, height - 36, "step", anchor="middle")}
{_text(24, height - 14, _sampling(panels), css="small")}
</svg>
"""


def curve_png(svg: str) -> bytes:
    """The picture as PNG, light, at twice its size in pixels; its letters need no font on this machine."""
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, font_files=_FONTS, zoom=2, sans_serif_family="Inter"))


def _panels(metrics: Metrics, log_y: bool | None, width: int, height: int) -> list[Panel]:
    losses = [series for series in metrics.series if series.key.endswith("/loss")]
    name = next((name for name in _SCORES if any(s.key.endswith(f"/{name}") for s in metrics.series)), None)
    scores = [series for series in metrics.series if name and series.key.endswith(f"/{name}")]
    steps = [step for series in losses + scores for step in _steps(series)]
    x = Axis.around([0, *steps, max([1, *steps])], _LEFT, width - _RIGHT, pad=0.01)
    room = height - _TOP - _BOTTOM
    upper = round((room - _GAP) * 0.6) if scores else room
    values = [value for series in losses for value in _values(series)]
    log = _spans_much(values) if log_y is None else log_y
    panels = [Panel("loss", losses, x, Axis.around(values, _TOP + upper, _TOP, log=log))]
    if name:
        values = [value for series in scores for value in _values(series)]
        panels.append(Panel(name, scores, x, Axis.around(values, height - _BOTTOM, _TOP + upper + _GAP)))
    return panels


def _spans_much(values: Sequence[float]) -> bool:
    return bool(values) and min(values) > 0 and max(values) / min(values) > _LOG_RATIO


def _steps(series: Series) -> Iterator[int]:
    yield from series.step
    yield from (odd.step for odd in series.nonfinite)


def _drawn(series: Series) -> list[float | None]:
    """What the line follows: the mean of each bucket, or the values themselves."""
    return series.mean if series.sampled and series.mean else series.value


def _values(series: Series) -> list[float]:
    """Every finite number that is drawn."""
    band = [*(series.min or []), *(series.max or [])] if series.sampled else []
    return [value for value in (*_drawn(series), *band) if value is not None]


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


def _place(value: float, log: bool) -> float:
    within = max(-_HUGE, min(_HUGE, value))
    return math.log10(max(within, 1 / _HUGE)) if log else within


def _linear_ticks(low: float, high: float, count: int, finest: float = 0.0) -> list[tuple[float, str]]:
    step = max(finest, _round_step((high - low) / count))
    indices = range(math.ceil(low / step), math.floor(high / step) + 1)
    plain = step >= 1e-4 and max(abs(low), abs(high)) < 1e6
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return [(i * step, f"{i * step:,.{decimals}f}" if plain else _number(i * step, 6)) for i in indices]


def _round_step(rough: float) -> float:
    """The smallest 1, 2 or 5 times a power of ten that is not below `rough`."""
    magnitude = 10.0 ** math.floor(math.log10(rough))
    return next(digit * magnitude for digit in (1, 2, 5, 10) if digit * magnitude >= rough * (1 - 1e-9))


def _number(value: float, digits: int = 4) -> str:
    text = f"{value:.{digits}g}"
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else text


def _colour(series: Series) -> str:
    split = series.key.split("/")[0]
    return split if split in {"train", "val", "test"} else "train"


def _last(series: Series) -> str:
    values = [value for value in series.value if value is not None]
    return _number(values[-1]) if values else "-"


def _description(subtitle: str, panels: Sequence[Panel]) -> str:
    curves = [
        f"{series.key}: {series.points} points, last {_last(series)} at step {series.step[-1]}"
        for panel in panels
        for series in panel.series
        if series.step
    ]
    odd = [f"{s.key} is {o.value} at step {o.step}" for panel in panels for s in panel.series for o in s.nonfinite[:1]]
    return ". ".join([subtitle, *(curves or ["no points yet"]), *odd])


def _sampling(panels: Sequence[Panel]) -> str:
    sampled = [series for panel in panels for series in panel.series if series.sampled]
    if not sampled:
        return ""
    buckets = [f" in buckets of {series.bucket_steps:,} steps" if series.bucket_steps else "" for series in sampled]
    parts = [f"{series.key} {series.points:,} points{bucket}" for series, bucket in zip(sampled, buckets, strict=True)]
    return f"Sampled: {', '.join(parts)}; the line is the mean, the band runs from the smallest to the largest value."


def _text(x: float, y: float, text: str, *, anchor: str = "start", css: str = "") -> str:
    attributes = (f' text-anchor="{anchor}"' if anchor != "start" else "") + (f' class="{css}"' if css else "")
    return f'<text x="{x}" y="{y}"{attributes}>{_safe(text)}</text>' if text else ""


def _safe(text: str) -> str:
    """Text that XML can hold: control characters have no place in it, escaped or not."""
    return escape("".join(letter if letter.isprintable() else "�" for letter in text))


def _shorten(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
