"""Draws every optimizer's path on two surfaces, or checks that each is drawn: `python -m docs.pictures`."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import contourpy
import numpy as np
import torch
from pydantic import TypeAdapter

from api_schemas.catalog.optimizers import Optimizer, OptimizerEntry
from training.surfaces import SURFACES, Point, Surface, descend

FOLDER = Path(__file__).parent.parent / "service" / "pictures" / "optimizers"
STEPS = 200
RATES = [digit * 10.0**power for power in range(-5, 2) for digit in (1, 2, 5)]
"""Each optimizer is drawn at the one of these learning rates that ends lowest among those that stay in the picture: at
one rate for all, pictures would compare rates and not optimizers."""

_WIDTH, _HEIGHT, _SIDE, _TOP, _GAP = 760, 340, 360, 62, 20
_PANEL = (_SIDE, 250)
_LEVELS = 8
_GRID = 240
_EDGE = 0.25
_TOLERANCE = 0.6
"""Pixels by which a drawn line may miss the true one, so that files stay small."""
_STYLE = """
text{font-family:Inter,system-ui,sans-serif;font-size:12px;fill:#57606a}.title{font-size:17px;font-weight:600;fill:#1b1f24}
.paper{fill:#fff}.level{fill:none;stroke:#c9d1d9}.frame{fill:none;stroke:#8c959f}
.path{fill:none;stroke:#1d63d8;stroke-width:1.5;stroke-linejoin:round}.dot{fill:#1d63d8}
.start{fill:#fff;stroke:#1d63d8;stroke-width:1.8}.goal{fill:none;stroke:#c2470a;stroke-width:1.8}
@media (prefers-color-scheme:dark){text{fill:#9aa4b2}.title{fill:#eef1f5}.paper{fill:#11151b}.level{stroke:#2c3540}
.frame{stroke:#5b6673}.path{stroke:#7db0ff}.dot{fill:#7db0ff}.start{fill:#11151b;stroke:#7db0ff}.goal{stroke:#ffa366}}
"""


@dataclass(frozen=True)
class Walk:
    """The best descent of an optimizer on a surface."""

    surface: Surface
    rate: float
    path: list[Point]

    @property
    def height(self) -> float:
        """The surface's value where it ends."""
        return _height(self.surface, self.path[-1])

    @property
    def strays(self) -> float:
        """How far it leaves the picture, in widths of it; a little beyond its edge is still in it."""
        points, low, high = np.array(self.path), *np.array([self.surface.x, self.surface.y]).T
        beyond = np.maximum((low - points) / (high - low), (points - high) / (high - low)).max()
        return max(0.0, float(beyond) - _EDGE)


def best_walk(entry: OptimizerEntry, surface: Surface) -> Walk:
    """The walk that ends lowest over all learning rates that stay in the picture, or strays from it the least."""
    walks = [Walk(surface, rate, descend(entry, surface, rate, STEPS)) for rate in RATES]
    return min(walks, key=lambda walk: (len(walk.path) <= STEPS, walk.strays, walk.height))


def draw(name: str, knobs: str, walks: Sequence[Walk]) -> str:
    """The picture of an optimizer's walks, side by side, as SVG.

    Args:
        name: of the optimizer.
        knobs: what else it depends on, kept in its description.
        walks: what to show.
    """
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"',
        f' aria-label="{_label(name, walks)}">',
        f"<desc>{escape(knobs)}</desc><style>{_STYLE}</style>",
        f'<rect class="paper" width="{_WIDTH}" height="{_HEIGHT}"/>',
        f'<text class="title" x="{_GAP}" y="28">{escape(name)}</text>',
    ]
    for place, walk in enumerate(walks):
        parts += _panel(walk, _GAP + place * _SIDE, _SIDE - _GAP)
    return "\n".join([*parts, "</svg>\n"])


def _panel(walk: Walk, left: float, width: float) -> Iterator[str]:
    surface, height = walk.surface, _PANEL[1]
    told = f"{surface.name}, lr {walk.rate:g}: {walk.height:.1e} after {STEPS} steps"
    yield f'<text x="{left}" y="{_TOP - 10}">{escape(told)}</text>'
    yield f'<svg x="{left}" y="{_TOP}" width="{width}" height="{height}">'
    for level in _contours(surface):
        yield f'<path class="level" d="{_line(_pixels(level, surface, width, height))}"/>'
    path = _pixels(np.array(walk.path), surface, width, height)
    yield f'<path class="path" d="{_line(path)}"/>'
    yield from (f'<circle class="dot" cx="{x}" cy="{y}" r="1.7"/>' for x, y in path[1:60])
    ((goal_x, goal_y),) = _pixels(np.array([surface.minimum]), surface, width, height)
    yield f'<path class="goal" d="M{goal_x - 5} {goal_y - 5}l10 10m0 -10l-10 10"/>'
    yield f'<circle class="start" cx="{path[0][0]}" cy="{path[0][1]}" r="4"/>'
    yield f'<rect class="frame" x=".5" y=".5" width="{width - 1}" height="{height - 1}"/></svg>'


def _contours(surface: Surface) -> list[np.ndarray]:
    """Lines of equal height (points, 2), their heights in equal ratios."""
    xs, ys = np.linspace(*surface.x, _GRID), np.linspace(*surface.y, _GRID)
    x, y = torch.meshgrid(torch.from_numpy(xs), torch.from_numpy(ys), indexing="xy")
    heights = surface.value(x, y).numpy()
    levels = np.geomspace(heights.max() / 3000, heights.max() / 1.5, _LEVELS)
    generator = contourpy.contour_generator(xs, ys, heights)
    return [np.asarray(line) for level in levels for line in generator.lines(level)]


def _pixels(points: np.ndarray, surface: Surface, width: float, height: float) -> list[tuple[float, float]]:
    low, high = np.array([surface.x[0], surface.y[1]]), np.array([surface.x[1], surface.y[0]])
    placed = (points - low) / (high - low) * [width, height]
    return [(round(x, 1), round(y, 1)) for x, y in placed.clip(-1e4, 1e4).tolist()]


def _line(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in _simplified(points))


def _simplified(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Fewer points of a line, none of the others further from it than the tolerance (Douglas and Peucker 1973)."""
    if len(points) < 3:
        return list(points)
    (x0, y0), (x1, y1) = points[0], points[-1]
    length = math.hypot(x1 - x0, y1 - y0)
    distances = [
        abs((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)) / length if length else math.hypot(x - x0, y - y0)
        for x, y in points
    ]
    furthest = max(range(len(points)), key=distances.__getitem__)
    if distances[furthest] <= _TOLERANCE:
        return [points[0], points[-1]]
    return _simplified(points[: furthest + 1])[:-1] + _simplified(points[furthest:])


def _height(surface: Surface, point: Point) -> float:
    x, y = (torch.tensor(value, dtype=torch.float64) for value in point)
    return surface.value(x, y).item()


def _label(name: str, walks: Sequence[Walk]) -> str:
    told = "; ".join(f"on {walk.surface.name} it ends at height {walk.height:.1e}" for walk in walks)
    return escape(f"The path of {name} on two error surfaces: {told}", quote=True)


def _knobs(entry: OptimizerEntry) -> str:
    """What the picture depends on: the entry's defaults, and how it was drawn."""
    return json.dumps({"knobs": entry.model_dump(mode="json"), "target": entry.target, "steps": STEPS}, sort_keys=True)


def stale() -> list[str]:
    """Optimizers whose picture is missing or was drawn with other defaults."""
    return [name for name in OptimizerEntry.names() if not _is_current(name, _default(name))]


def _default(name: str) -> OptimizerEntry:
    return TypeAdapter(Optimizer).validate_python({"name": name})


def _is_current(name: str, entry: OptimizerEntry) -> bool:
    path = FOLDER / f"{name}.svg"
    return path.exists() and f"<desc>{escape(_knobs(entry))}</desc>" in path.read_text()


def main() -> int:
    """Draw what is missing or out of date, or say so."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="draw nothing; fail where something would be drawn")
    wanted = stale()
    if parser.parse_args().check:
        if wanted:
            print(f"not drawn: {', '.join(wanted)}; run `make docs`", file=sys.stderr)
        return 1 if wanted else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for place, name in enumerate(wanted, start=1):
        entry = _default(name)
        walks = [best_walk(entry, surface) for surface in SURFACES]
        (FOLDER / f"{name}.svg").write_text(draw(name, _knobs(entry), walks))
        print(f"{place}/{len(wanted)} {name}: lr " + ", ".join(f"{walk.rate:g}" for walk in walks))
    return 0


if __name__ == "__main__":
    sys.exit(main())
