"""All that a job can name, looked through in a browser."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect

PAPER = """async picture => {
    await picture.decode();
    const copy = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
    copy.drawImage(picture, 0, 0, picture.width, picture.height);
    return copy.getImageData(5, picture.height / 2, 1, 1).data.slice(0, 3).reduce((sum, part) => sum + part);
}"""
"""The sum of red, green and blue at the left edge of a picture, where nothing is drawn."""


def test_an_entry_is_found_by_words_and_read(open_page):
    page = open_page("#/catalog")
    page.get_by_label("Search the catalog").fill("batchnorm")
    group = page.get_by_role("region", name="normalizations")
    expect(group.get_by_role("link").first).to_have_text("batch_norm")
    expect(page.get_by_role("region", name="optimizers")).to_have_count(0)
    group.get_by_role("link", name="batch_norm", exact=True).click()
    expect(page.get_by_role("heading", name="batch_norm")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("sqrt(var_batch + eps)")
    expect(page.get_by_role("main")).to_contain_text("What goes wrong")
    expect(page.get_by_role("main")).to_contain_text("Ioffe and Szegedy 2015")
    expect(page.get_by_role("row").filter(has_text="momentum").first).to_contain_text("number > 0, ≤ 1")
    page.go_back()
    expect(page.get_by_label("Search the catalog")).to_have_value("batchnorm")
    page.get_by_role("navigation", name="Kinds").get_by_role("link", name="losses").click()
    expect(page.get_by_text("Nothing by that name")).to_be_visible()


@pytest.mark.parametrize(
    ("entry", "change"),
    [
        ("generators/spirals", {"dataset": {"name": "spirals"}}),
        ("losses/focal", {"loss": {"name": "focal"}}),
        ("schedules/cosine", {"schedule": [{"name": "cosine"}]}),
        ("encodings/onehot", {"preprocessing": {"categorical": {"name": "onehot"}}}),
        ("normalizations/layer_norm", {"model": {"name": "mlp", "normalization": {"name": "layer_norm"}}}),
    ],
)
def test_an_entry_is_used_where_a_job_has_a_place_for_it(open_page, entry, change):
    page = open_page(f"#/catalog/{entry}")
    page.get_by_role("button", name="Use it in a new job").click()
    expect(page.get_by_role("heading", name="New job")).to_be_visible()
    written = json.loads(page.get_by_role("textbox", name="Spec").input_value())
    assert written == {"name": "digits", "dataset": {"name": "digits"}, **change}
    expect(page.get_by_role("button", name="Submit")).to_be_enabled()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_optimizer_shows_its_path_on_paper_of_the_readers_shade(open_page, scheme):
    page = open_page("#/catalog/optimizers/adamw", color_scheme=scheme)
    picture = page.get_by_role("img", name="The path of adamw on two error surfaces")
    expect(picture).to_be_visible()
    shade = picture.evaluate(PAPER)
    assert (shade < 100) if scheme == "dark" else (shade > 600)


def test_a_source_on_the_web_is_a_link(open_page):
    page = open_page("#/catalog/optimizers/muon")
    expect(page.get_by_role("main").locator('a[href^="https://"]')).to_have_attribute("rel", "noopener noreferrer")


def test_a_name_that_is_not_there_is_said_to_be_missing(open_page):
    page = open_page("#/catalog/optimizers/adamm")
    expect(page.get_by_role("alert")).to_contain_text("no adamm among the optimizers")
    expect(page.get_by_role("link", name=re.compile("^adam$"))).to_be_visible()
