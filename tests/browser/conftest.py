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
    """Open the page at a route, as wide or dark as asked for; any complaint of the browser fails the test.

    `at` is the gateway, by default the one that all tests share; requests that match `broken` never reach it.
    """
    gateways: set[str] = {anneal.url}
    complaints: list[str] = []
    strangers: list[str] = []
    contexts = []

    def visit(route: str = "", at: str = anneal.url, broken: str = "", **context: Any) -> Page:
        gateways.add(at)
        contexts.append(
            chromium.new_context(viewport=context.pop("viewport", {"width": 1280, "height": 900}), **context)
        )
        page = contexts[-1].new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        # A refused spec is an answer, though the browser logs its status as an error.
        expected = ["Failed to load resource: the server responded"]
        if broken:
            page.route(broken, lambda route: route.abort())
            expected.append("Failed to load resource: net::ERR_FAILED")
        page.on("console", lambda line: complaints.append(line.text) if is_complaint(line, expected) else None)
        page.on("request", lambda request: strangers.append(request.url) if not is_ours(request.url) else None)
        page.goto(f"{at}/{route}")
        return page

    def is_complaint(line, expected: list[str]) -> bool:
        return line.type in {"error", "warning"} and not any(text in line.text for text in expected)

    def is_ours(url: str) -> bool:
        return url.startswith((*gateways, "data:", "blob:"))

    yield visit
    for context in contexts:
        context.close()
    assert not complaints
    assert not strangers


@pytest.fixture(scope="session")
def trained(anneal) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Train a job to its end and return it."""

    def train(spec: dict[str, Any]) -> dict[str, Any]:
        job = anneal.client.post("/v1/jobs", json=spec).raise_for_status().json()
        while not job["terminal"]:
            job = anneal.client.get(f"/v1/jobs/{job['id']}", headers={"Prefer": "wait=30"}).json()
        assert job["state"] == "succeeded", job["error"]
        return job

    return train
