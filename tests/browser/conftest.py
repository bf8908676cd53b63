"""A real Chromium that can reach the gateway and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # The gateway's address is the only one that has a way out: all else goes to a proxy that is not there.
    "--proxy-server=http://127.0.0.1:9",
    "--proxy-bypass-list=127.0.0.1",
]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The installed Chromium, started once."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium); the page is not tested")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        # A busy machine may take long to start a training; nothing here is about speed.
        expect.set_options(timeout=60_000)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser, anneal) -> Iterator[Callable[..., Page]]:
    """Open the page at a route, as wide, dark or keyed as asked for; any complaint of the browser fails the test."""
    complaints: list[str] = []
    strangers: list[str] = []
    contexts = []

    def visit(route: str = "", **context: Any) -> Page:
        contexts.append(
            chromium.new_context(viewport=context.pop("viewport", {"width": 1280, "height": 900}), **context)
        )
        page = contexts[-1].new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        # A refused spec is an answer, though the browser logs its status as an error.
        page.on("console", lambda line: complaints.append(line.text) if is_complaint(line) else None)
        page.on("request", lambda request: strangers.append(request.url) if not is_ours(request.url) else None)
        page.goto(f"{anneal.url}/{route}")
        return page

    def is_complaint(line) -> bool:
        return line.type in {"error", "warning"} and "Failed to load resource: the server responded" not in line.text

    def is_ours(url: str) -> bool:
        return url.startswith((anneal.url, "data:", "blob:"))

    yield visit
    for context in contexts:
        context.close()
    assert not complaints
    assert not strangers
