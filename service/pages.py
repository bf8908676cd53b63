"""The web page, the API's reference and the description of errors, all from this server alone."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles

import dashboard
from api_schemas.errors import ERRORS

router = APIRouter(include_in_schema=False)

ASSETS = StaticFiles(directory=dashboard.FOLDER)
"""Scripts, styles and vendored libraries, at /assets."""

_INLINE_SCRIPT = re.compile(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", re.DOTALL)


def content_security_policy() -> str:
    """Nothing from elsewhere, and no script but our files and the inline ones that we wrote ourselves."""
    hashes = [
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for page in sorted(Path(dashboard.FOLDER).glob("*.html"))
        for script in _INLINE_SCRIPT.findall(page.read_text())
    ]
    return (
        "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
        f"script-src 'self' {' '.join(hashes)}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


@router.get("/")
async def dashboard_page() -> Response:
    """The dashboard."""
    return _page("index.html")


@router.get("/docs")
async def reference_page() -> Response:
    """The API's reference."""
    return _page("docs.html")


@router.get("/docs/errors")
async def errors_page() -> Response:
    """What each kind of error means; an error's `type` points here."""
    rows = "".join(
        f'<tr id="{kind.code}"><td>{kind.status}</td><td><code>{kind.code}</code></td>'
        f"<td>{html.escape(kind.__doc__ or '')}</td></tr>"
        for kind in ERRORS.values()
    )
    return HTMLResponse(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Anneal: errors</title>'
        "<style>body{font:1rem/1.5 system-ui;max-width:50rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}"
        "td{padding:.3rem .8rem .3rem 0;vertical-align:top}:target{font-weight:bold}</style>"
        f"<h1>Errors</h1><table>{rows}</table></html>"
    )


def _page(name: str) -> Response:
    return FileResponse(Path(dashboard.FOLDER) / name, headers={"Cache-Control": "no-cache"})
