"""A curve in one line of text."""

from __future__ import annotations

import math

from api_schemas.curves import Series

_BLOCKS = "▁▂▃▄▅▆▇█"
_CROSS = "✗"
_LOG_FROM = 10.0
"""A curve that falls by more than this factor is drawn on a logarithmic scale, else its end is one flat line."""


def sparkline(series: Series, total_steps: int, width: int) -> str:
    """The series in at most `width` characters, where the whole width stands for the whole run.

    A character is the mean of what falls into it, else the one before it; a cross where a value is not finite.
    """
    columns = _columns(series, total_steps, width)
    known = [value for value in columns if math.isfinite(value)]
    if not known:
        return _CROSS * len(columns)
    scale = math.log if min(known) > 0 and max(known) > _LOG_FROM * min(known) else float
    low, high = scale(min(known)), scale(max(known))
    top = len(_BLOCKS) - 1
    return "".join(
        _BLOCKS[round(top * (scale(value) - low) / (high - low)) if high > low else top // 2]
        if math.isfinite(value)
        else _CROSS
        for value in columns
    )


def _columns(series: Series, total_steps: int, width: int) -> list[float]:
    """A value for each column that the run has reached; nan where one was not finite."""
    inside: dict[int, list[float]] = {}
    values = series.value if series.mean is None else series.mean
    for step, value in zip(series.step, values, strict=True):
        column = min(step * width // max(total_steps, 1), width - 1)
        inside.setdefault(column, []).append(math.nan if value is None else value)
    if not inside:
        return []
    means = {column: math.fsum(found) / len(found) for column, found in inside.items()}
    columns = [means[min(means)]]
    for at in range(1, max(means) + 1):
        columns.append(means.get(at, columns[-1]))
    return columns
