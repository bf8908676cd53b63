"""What a dataset holds, and ways to bring one, as a person finds them on the page."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.test_data_and_answers import file, rows, upload

DROP = """([name, text]) => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([text], name));
  const say = (type) => document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true }));
  say("dragover");
  say("drop");
}"""
"""What a browser says when a person drops a file."""


def opened(open_page, anneal, name, content, **more):
    sent = anneal.client.post("/v1/datasets", files={"file": (name, content)}, data=more)
    return open_page(f"#/datasets/{sent.raise_for_status().json()['id']}")


def test_a_dataset_shows_how_often_values_occur_and_its_first_rows(open_page, anneal):
    page = opened(open_page, anneal, "levels.csv", rows(0, 120) + b"\n,b,12,high", target="level")
    expect(page.get_by_role("heading", name="levels.csv")).to_be_visible()
    expect(page.get_by_text("has no value in 1 row")).to_be_visible()
    columns = page.get_by_role("region", name="Columns")
    for name in ("size", "kind"):
        columns.get_by_role("button", name=f"Histogram of {name}").click()
        picture = columns.get_by_role("img", name=f"How often the values of {name} occur")
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 640
    expect(columns.get_by_role("img")).to_have_count(1)
    first = page.get_by_role("region", name="First rows").get_by_role("row")
    expect(first.nth(3)).to_have_text("2a0low")


def test_what_a_column_is_for_is_corrected_on_its_page_and_a_job_on_it_begins_there(open_page, anneal):
    page = opened(open_page, anneal, "levels.csv", rows(0, 120))
    page.get_by_label("Predict level").check()
    page.get_by_label("Use of farm").select_option("group")
    expect(page.get_by_role("button", name="Histogram of farm")).to_be_visible()
    expect(page.get_by_label("Use of farm")).to_have_value("group")
    page.get_by_role("link", name="New job on it").click()
    expect(page.get_by_role("textbox", name="Spec")).to_have_value(re.compile('"target": "level"'))
    expect(page.get_by_label("Use of farm")).to_have_value("group")


def test_a_file_that_is_dropped_and_whose_name_tells_nothing_is_read_as_a_person_says(open_page):
    page = open_page("#/new")
    page.evaluate(DROP, ["levels.data", rows(0, 120).decode()])
    card = page.get_by_role("region", name="Your data")
    expect(card.get_by_role("alert")).to_contain_text("does not tell")
    card.get_by_label("What it holds").select_option(".csv")
    card.get_by_role("button", name="Read it so").click()
    expect(card).to_contain_text("120 rows")
    expect(card.get_by_label("What it holds")).to_have_count(0)


def test_a_person_says_which_file_trains_and_which_judges(open_page):
    page = open_page("#/new")
    card = upload(page, file("new.csv", rows(0, 80)), file("old.csv", rows(80, 120)))
    expect(card).to_contain_text("120 rows")
    card.get_by_label("Part of new.csv").select_option("train")
    card.get_by_label("Part of old.csv").select_option("test")
    card.get_by_role("button", name="Send again").click()
    expect(card.get_by_label("Use of split")).to_have_value("split")
    page.get_by_label("Predict level").check()
    expect(page.get_by_label("What would run")).to_contain_text("64 train, 16 validate, 40 test")


def test_a_gateway_that_fetches_nothing_says_so(open_page):
    card = open_page("#/new").get_by_role("region", name="Your data")
    card.get_by_text("From a URL").click()
    expect(card).to_contain_text("ANNEAL_FETCH_HOSTS")
    expect(card.get_by_label("URL of a file")).to_have_count(0)


def test_a_url_becomes_a_dataset_that_waits_for_a_worker(deployment, open_page):
    here = deployment(fetch_hosts="data.example.org")
    here.start_gateway()
    page = open_page("#/new", at=here.url)
    card = page.get_by_role("region", name="Your data")
    card.get_by_text("From a URL").click()
    expect(card).to_contain_text("from data.example.org")
    for url, fault in (
        ("https://elsewhere.org/a.csv", "is not among"),
        ("https://data.example.org/a", "does not tell"),
    ):
        card.get_by_label("URL of a file").fill(url)
        card.get_by_role("button", name="Fetch").click()
        expect(card.get_by_role("alert")).to_contain_text(fault)
    card.get_by_label("What it holds").select_option(".csv")
    card.get_by_role("button", name="Read it so").click()
    expect(card).to_contain_text("waits for a worker")
    page.get_by_role("link", name="Datasets").click()
    page.get_by_role("link", name="a.csv").click()
    expect(page.get_by_role("progressbar", name="Reading a.csv")).to_be_visible()
