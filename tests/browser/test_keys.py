"""What a person sees of a gateway that asks for a key, and of one that does not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from storage.keys import create_key
from storage.settings import Settings
from tests.servers import Deployment, wait_until

FILES = {"SVG": "curve.svg", "PNG": "curve.png", "CSV": "metrics.csv", "Script": "script"}
QUICK = {"dataset": {"name": "iris"}, "training": {"epochs": 2}}


@dataclass(frozen=True)
class Locked:
    """A gateway with a key, and a job that has ended."""

    url: str
    key: str
    client: httpx.Client
    job: str


def finished(client: httpx.Client, name: str) -> str:
    """The id of a job that was trained to its end."""
    address = client.post("/v1/jobs", json={"name": name, **QUICK}).raise_for_status().headers["Location"]
    return wait_until(lambda: (job := client.get(address).json())["terminal"] and job, 120, "the job's end")["id"]


@pytest.fixture(scope="module")
def locked(anneal, valkey, tmp_path_factory) -> Iterator[Locked]:
    """On a copy of the database that all tests share, so that no worker has to start for it."""
    job = finished(anneal.client, "behind a door")
    home = tmp_path_factory.mktemp("locked")
    with (
        closing(sqlite3.connect(anneal.home / "anneal.db")) as shared,
        closing(sqlite3.connect(home / "anneal.db")) as own,
    ):
        shared.backup(own)
    here = Deployment(Settings(home=home, port=0, broker_url=valkey.url))
    try:
        _, key = create_key(here.database, "a browser")
        here.start_gateway()
        here.client.headers["Authorization"] = f"Bearer {key}"
        yield Locked(here.url, key, here.client, job)
    finally:
        here.stop()


def question(page: Page) -> Locator:
    return page.get_by_role("dialog", name="API key")


def answer(page: Page, key: str) -> None:
    question(page).get_by_label("Key").fill(key)
    question(page).get_by_role("button", name="Continue").click()


def test_a_key_is_asked_for_once_and_opens_all_that_a_job_has(open_page, locked):
    page = open_page(f"#/jobs/{locked.job}", at=locked.url)
    answer(page, locked.key)
    expect(page.get_by_role("heading", name="behind a door")).to_be_visible()
    expect(page.get_by_label("Events", exact=True)).to_contain_text("succeeded")
    expect(question(page)).to_have_count(0)
    page.reload()
    page.get_by_role("navigation").get_by_role("link", name="Jobs").click()
    page.get_by_role("link", name="behind a door").click()
    for name, path in FILES.items():
        with page.expect_download() as download:
            page.get_by_role("link", name=name, exact=True).first.press("Enter")
        assert download.value.suggested_filename == f"{locked.job}{Path(path).suffix or '.py'}"
        assert download.value.path().read_bytes() == locked.client.get(f"/v1/jobs/{locked.job}/{path}").content
        expect(page.get_by_role("status").last).to_have_text(f"Saved {download.value.suggested_filename}")
    expect(question(page)).to_have_count(0)


def test_a_wrong_key_is_said_to_be_refused_and_a_right_one_takes_its_place(open_page, locked):
    page = open_page(at=locked.url)
    answer(page, "ann_of_somebody_else")
    expect(question(page)).to_contain_text("refuses the key")
    answer(page, locked.key)
    expect(page.get_by_role("link", name="behind a door")).to_be_visible()


def test_a_closed_question_comes_back_only_when_it_is_asked_for(open_page, locked):
    page = open_page(at=locked.url)
    expect(question(page)).to_be_visible()
    page.keyboard.press("Escape")
    # A request that asks for a key waits for the answer: two after each other mean that the first did not ask.
    for _ in range(2):
        with page.expect_response("**/v1/jobs?*"):
            expect(page.get_by_role("alert")).to_contain_text("Authorization")
    expect(question(page)).to_have_count(0)
    page.get_by_role("button", name="Give a key").click()
    answer(page, locked.key)
    expect(page.get_by_role("link", name="behind a door")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_without_keys_a_picture_opens_in_a_tab_and_the_numbers_are_saved(open_page, anneal):
    job = finished(anneal.client, "in the open")
    page = open_page(f"#/jobs/{job}")
    with page.expect_popup() as tab:
        page.get_by_role("region", name="Curves").get_by_role("link", name="SVG").click()
    expect(tab.value).to_have_url(f"{anneal.url}/v1/jobs/{job}/curve.svg")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert download.value.path().read_text().startswith("key,step,value\n")
