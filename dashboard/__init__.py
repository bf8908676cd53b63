"""The web page: static files that the gateway serves as they are."""

from __future__ import annotations

from pathlib import Path

FOLDER: Path = Path(__file__).parent
"""Where the files are: `index.html` for `/`, `docs.html` for `/docs`, all of them below `/assets/`."""
