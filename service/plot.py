"""A job's curves as a picture that stands alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from api_schemas.curves import Metrics, Series
from service.plot_axes import Axis
from service.plot_panel import Panel, drawn
from service.plot_paper import BOTTOM, LEFT, RIGHT, TOP, paper

_GAP = 36
"""Pixels between two plots."""
_LOG_RATIO = 50.0
"""Losses whose largest is more than this many times the smallest are drawn on a log scale unless asked otherwise."""


def curve_svg(
    title: str,
    subtitle: str,
    metrics: Metrics,
    *,
    metric: str | None = None,
    log_y: bool | None = None,
    width: int = 860,
    height: int = 480,
) -> str:
    """Draw the losses and, where there is one, a metric below them.

    Args:
        title: a name that a person gave; any text.
        subtitle: a line below it; any text.
        metrics: the curves; whatever is neither a loss nor that metric is left out.
        metric: its key without the part of the data, such as `accuracy`.
        log_y: whether the losses are drawn on a log scale; by default where they span more than a factor of 50.
        width: of the picture in pixels, at least 400.
        height: of the picture in pixels, at least 300.

    Returns:
        An SVG document that needs nothing else, light or dark as its reader prefers.
    """
    panels = _panels(metrics, metric, log_y, width, height)
    return paper(title, subtitle, panels, width, height)


def _panels(metrics: Metrics, metric: str | None, log_y: bool | None, width: int, height: int) -> list[Panel]:
    losses = [series for series in metrics.series if series.key.endswith("/loss")]
    scores = [series for series in metrics.series if metric and series.key.endswith(f"/{metric}")]
    steps = [step for series in losses + scores for step in _steps(series)]
    x = Axis.around([0, *steps, max([1, *steps])], LEFT, width - RIGHT, pad=0.01)
    room = height - TOP - BOTTOM
    upper = round((room - _GAP) * 0.6) if scores else room
    values = [value for series in losses for value in _values(series)]
    log = _spans_much(values) if log_y is None else log_y
    panels = [Panel("loss", losses, x, Axis.around(values, TOP + upper, TOP, log=log))]
    if metric and scores:
        values = [value for series in scores for value in _values(series)]
        panels.append(Panel(metric, scores, x, Axis.around(values, height - BOTTOM, TOP + upper + _GAP)))
    return panels


def _spans_much(values: Sequence[float]) -> bool:
    return bool(values) and min(values) > 0 and max(values) / min(values) > _LOG_RATIO


def _steps(series: Series) -> Iterator[int]:
    yield from series.step
    yield from (odd.step for odd in series.nonfinite)


def _values(series: Series) -> list[float]:
    """Every finite number that is drawn."""
    band = [*(series.min or []), *(series.max or [])] if series.sampled else []
    return [value for value in (*drawn(series), *band) if value is not None]
