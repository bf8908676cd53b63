"""Text in an SVG document."""

from __future__ import annotations

from html import escape


def text(x: float, y: float, text: str, *, anchor: str = "start", css: str = "") -> str:
    """A text element; nothing for no text."""
    attributes = (f' text-anchor="{anchor}"' if anchor != "start" else "") + (f' class="{css}"' if css else "")
    return f'<text x="{x}" y="{y}"{attributes}>{safe(text)}</text>' if text else ""


def safe(text: str) -> str:
    """Text that XML can hold: control characters have no place in it, escaped or not."""
    return escape("".join(letter if letter.isprintable() else "�" for letter in text))


def shorten(text: str, most: int) -> str:
    """A text of at most so many letters."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
