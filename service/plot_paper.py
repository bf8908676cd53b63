"""The paper that plots are drawn on: SVG text that stands alone, and the same as PNG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import resvg_py

from service.plot_panel import Panel, last
from service.plot_text import safe, shorten, text

LEFT, RIGHT, TOP, BOTTOM = 72, 190, 78, 74
"""Pixels around the plots, for labels and legend."""
_FONTS = sorted(str(path) for path in (Path(__file__).parent / "fonts").glob("*.ttf"))

_STYLE = """
text{font-family:Inter,system-ui,sans-serif;font-size:12px;fill:#57606a}
.title{font-size:18px;font-weight:600;fill:#1b1f24}.value{font-weight:600;fill:#1b1f24}.small{font-size:11px}
.paper{fill:#fff}.grid{stroke:#e4e8ec;stroke-width:1}.axis{stroke:#8c959f;stroke-width:1}
.line{fill:none;stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round}.cross{fill:none;stroke-width:1.8}
.band{opacity:.24}
.box{fill:#f6f8fa;stroke:#d0d7de}.frame{fill:none;stroke:#d0d7de}.again{fill:none;stroke:#8c959f;stroke-dasharray:5 4}
.way,.sum{fill:none;stroke:#57606a;stroke-width:1.3}
.train{stroke:#1d63d8}.train-fill{fill:#1d63d8}.val{stroke:#c2470a}.val-fill{fill:#c2470a}
.test{stroke:#0b7a63}.test-fill{fill:#0b7a63}.bad{stroke:#c81e3a}.bad-fill{fill:#c81e3a}
@media (prefers-color-scheme:dark){
text{fill:#9aa4b2}.title,.value{fill:#eef1f5}.paper{fill:#11151b}.grid{stroke:#232a33}.axis{stroke:#5b6673}
.box{fill:#1a212a;stroke:#323c48}.frame{stroke:#323c48}.again{stroke:#5b6673}.way,.sum{stroke:#9aa4b2}
.train{stroke:#7db0ff}.train-fill{fill:#7db0ff}.val{stroke:#ffa366}.val-fill{fill:#ffa366}
.test{stroke:#5fd8bd}.test-fill{fill:#5fd8bd}.bad{stroke:#ff7b8f}.bad-fill{fill:#ff7b8f}
}
"""


def paper(
    title: str, subtitle: str, panels: Sequence[Panel], width: int, height: int, *, under: Iterable[str] = ()
) -> str:
    """An SVG document that needs nothing else, light or dark as its reader prefers.

    Args:
        title: any text.
        subtitle: a line below it; any text.
        panels: the plots, one below the other, over the same steps.
        width: of the picture in pixels, at least 400.
        height: of the picture in pixels, at least 300.
        under: elements that are drawn below the plots.
    """
    plots = [*under, *(element for panel in panels for element in panel.draw())]
    below = [
        text((panels[0].x.start + panels[0].x.end) / 2, height - 36, "step", anchor="middle"),
        text(24, height - 14, _sampling(panels), css="small"),
    ]
    return sheet(title, subtitle, [*plots, *below], width, height, description=_description(subtitle, panels))


def sheet(title: str, subtitle: str, elements: Iterable[str], width: int, height: int, *, description: str) -> str:
    """An SVG document of some elements under a title; its description is for those who do not see it."""
    drawn = "\n".join(elements)
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return f"""<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title desc">
<title id="title">{safe(title)}</title>
<desc id="desc">{safe(description)}</desc>
<style>{_STYLE}</style>
<rect class="paper" width="100%" height="100%" rx="8"/>
{text(24, 34, shorten(title, width // 12), css="title")}
{text(24, 54, shorten(subtitle, width // 8))}
{drawn}
</svg>
"""


def png(svg: str) -> bytes:
    """The picture as PNG, light, at twice its size in pixels; its letters need no font on this machine."""
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, font_files=_FONTS, zoom=2, sans_serif_family="Inter"))


def _description(subtitle: str, panels: Sequence[Panel]) -> str:
    curves = [
        f"{series.key}: {series.points} points, last {last(series)} at step {series.step[-1]}"
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
