"""The phrase that leads from an unknown name back to a known one."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


def nearest(name: str, known: Sequence[str]) -> str:
    """A phrase that names the nearest of the known names, else the first few of them."""
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if close:
        return "did you mean " + " or ".join(repr(match) for match in close) + "?"
    shown = ", ".join(repr(other) for other in known[:12])
    return f"known: {shown}{', ...' if len(known) > 12 else ''}"
