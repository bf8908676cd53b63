"""A schedule's learning rates as a picture that stands alone."""

from __future__ import annotations

from collections.abc import Iterator

from api_schemas.curves import Series
from api_schemas.previews import PreviewedPiece, SchedulePreview
from service.plot_axes import Axis
from service.plot_panel import Panel
from service.plot_paper import BOTTOM, LEFT, RIGHT, TOP, paper
from service.plot_text import text

_POINTS = 2000
_LETTER = 6.5
"""About how many pixels a letter is wide."""


def schedule_svg(preview: SchedulePreview, *, width: int = 860, height: int = 400) -> str:
    """Draw the learning rate over the steps, each piece under its name.

    Args:
        preview: the rates and the places of the pieces.
        width: of the picture in pixels, at least 400.
        height: of the picture in pixels, at least 300.
    """
    series = _series(preview.lr)
    last = len(preview.lr) - 1
    x = Axis(-0.01 * last, 1.01 * last or 1.0, LEFT, width - RIGHT)
    y = Axis.around([0.0, *preview.lr], height - BOTTOM, TOP + 12)
    note = "the drops of a plateau follow its metric and are not shown" if preview.depends_on_metrics else ""
    title = " → ".join(piece.name for piece in preview.pieces)
    panel = Panel("learning rate", [series], x, y)
    subtitle = ", ".join(part for part in (f"{len(preview.lr):,} steps", note) if part)
    return paper(title, subtitle, [panel], width, height, under=_pieces(preview.pieces, x, y))


def _pieces(pieces: list[PreviewedPiece], x: Axis, y: Axis) -> Iterator[str]:
    """A line where each piece begins, and its name where there is room for it."""
    for piece in pieces:
        start, end = x(piece.from_step), x(piece.to_step + 1)
        if piece is not pieces[0]:
            yield f'<path class="grid" d="M{start} {y.end}V{y.start}"/>'
        if end - start > _LETTER * len(piece.name):
            yield text(start + 4, y.end - 4, piece.name, css="small")


def _series(rates: list[float]) -> Series:
    """The rates as a curve; too many for a picture in buckets."""
    bucket = -(-len(rates) // _POINTS)
    parts = [rates[start : start + bucket] for start in range(0, len(rates), bucket)]
    ends = [min(len(rates), start + bucket) - 1 for start in range(0, len(rates), bucket)]
    values: list[float | None] = [part[-1] for part in parts]
    if bucket == 1:
        return Series(key="lr", points=len(rates), sampled=False, step=ends, value=values)
    return Series(
        key="lr",
        points=len(rates),
        sampled=True,
        bucket_steps=bucket,
        step=ends,
        value=values,
        min=[min(part) for part in parts],
        max=[max(part) for part in parts],
        mean=[sum(part) / len(part) for part in parts],
    )
