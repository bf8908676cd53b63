"""Files in and answers out, as a person finds them on the page."""

from __future__ import annotations

import io
import json
import re
import zipfile

import numpy as np
from PIL import Image
from playwright.sync_api import expect

from tests.browser.test_page import write
from tests.servers import wait_until

RNG = np.random.default_rng(0)


def file(name, content):
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def rows(start, stop):
    cells = [f"{x},{'ab'[x % 2]},{x // 10},{'high' if x > 60 else 'low'}" for x in range(start, stop)]
    return "\n".join(["size,kind,farm,level", *cells]).encode()


def folders_of_images():
    """Two classes of 16 images, half of 8 x 8 pixels, half of 12 x 10."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for index in range(32):
            shape = (8, 8) if index % 4 < 2 else (12, 10)
            png = io.BytesIO()
            Image.fromarray(RNG.integers(0, 255, shape, dtype=np.uint8)).save(png, "PNG")
            archive.writestr(f"{['cat', 'dog'][index % 2]}/{index}.png", png.getvalue())
    return packed.getvalue()


def upload(page, *files):
    card = page.get_by_role("region", name="Your data")
    card.locator("input[type=file]").set_input_files(list(files))
    return card


CORRECTED = """async () => {
  const [{state, columns}] = (await (await fetch("/v1/datasets?limit=1")).json()).data;
  const column = (name) => columns.find((one) => one.name === name) ?? {};
  return state === "ready" && column("farm").role === "group" && column("kind").encode === "embedding";
}"""
"""Whether the newest dataset is read again as the page was told."""


def test_several_files_become_one_dataset_whose_columns_are_corrected(open_page):
    page = open_page("#/new")
    card = upload(page, file("first.csv", rows(0, 80)), file("second.csv", rows(80, 120)))
    expect(card).to_contain_text("120 rows")
    page.get_by_label("Predict level").check()
    page.get_by_label("Use of farm").select_option("group")
    expect(page.get_by_label("Use of farm")).to_have_value("group")
    page.get_by_label("Categories of kind").select_option("embedding")
    expect(page.get_by_label("Categories of kind")).to_have_value("embedding")
    expect(page.get_by_role("textbox", name="Spec")).to_have_value(re.compile('"target": "level"'))
    expect(page.get_by_label("What would run")).to_contain_text("validate")
    wait_until(lambda: page.evaluate(CORRECTED), 60, "both corrections to be stored")
    with page.expect_response(lambda answer: "by farm" in (answer.request.post_data or "")) as planned:
        write(page, {**json.loads(page.get_by_role("textbox", name="Spec").input_value()), "name": "by farm"})
    plan = planned.value.json()
    assert plan["spec"]["split"]["method"] == "grouped"


def test_the_page_says_which_files_it_takes(open_page):
    card = open_page("#/new").get_by_role("region", name="Your data")
    for ending in (".csv", ".parquet", ".npz", "-idx3-ubyte", ".zip", ".md", ".zst"):
        expect(card).to_contain_text(ending)


def test_images_of_several_sizes_are_resized_to_the_one_that_is_asked_for(open_page):
    page = open_page("#/new")
    card = upload(page, file("pets.zip", folders_of_images()))
    expect(card.get_by_role("alert")).to_contain_text("sizes")
    sizes = card.get_by_role("form", name="Size of the images")
    sizes.get_by_label("Height").fill("8")
    sizes.get_by_label("Width").fill("8")
    sizes.get_by_role("button", name="Resize").click()
    expect(card).to_contain_text(re.compile("1 . 8 . 8 numbers"))
    expect(card.get_by_role("img", name="The first images")).to_be_visible()
    sizes.get_by_label("Height").fill("6")
    sizes.get_by_role("button", name="Resize").click()
    expect(card).to_contain_text(re.compile("1 . 6 . 8 numbers"))


def test_a_text_is_what_a_language_model_is_trained_on(open_page):
    page = open_page("#/new")
    card = upload(page, file("rhyme.txt", b"round and round the ragged rocks\n" * 200))
    expect(card).to_contain_text("characters")
    expect(page.get_by_role("textbox", name="Spec")).to_have_value(re.compile('"name": "gpt"'))
    expect(page.get_by_role("button", name="Submit")).to_be_enabled()


def test_a_language_model_goes_on_with_a_prompt(open_page, trained):
    job = trained(
        {
            "dataset": {"name": "markov_text", "n": 5000, "order": 1, "noise": 0.001},
            "model": {"name": "gpt", "context": 16, "width": 16, "layers": 1},
            "training": {"epochs": 1},
        }
    )
    page = open_page(f"#/jobs/{job['id']}")
    card = page.get_by_role("region", name="Ask the model")
    card.get_by_label("Prompt").fill("abcd")
    card.get_by_label("Length").fill("12")
    card.get_by_label("Temperature").fill("0")
    card.get_by_role("button", name="Write on").click()
    expect(card.locator("output")).to_have_text(re.compile("^abcd.{12}$"))
    card.get_by_label("Prompt").fill("ÆØÅ")
    card.get_by_role("button", name="Write on").click()
    expect(card.get_by_role("alert")).to_be_visible()


def test_a_model_of_a_table_is_asked_about_a_row_and_about_a_file(open_page, anneal, trained):
    sent = anneal.client.post("/v1/datasets", files={"file": ("a.csv", rows(0, 120))}, data={"target": "level"})
    job = trained({"dataset": {"id": sent.raise_for_status().json()["id"]}, "training": {"epochs": 30}})
    page = open_page(f"#/jobs/{job['id']}")
    card = page.get_by_role("region", name="Ask the model")
    expect(card.get_by_label("size")).to_have_value("0")
    card.get_by_label("size").fill("119")
    card.get_by_label("farm").fill("11")
    card.get_by_label("kind").select_option("b")
    card.get_by_role("button", name="Predict", exact=True).click()
    expect(card.locator("output")).to_contain_text("level: high")
    with page.expect_download() as download:
        card.get_by_label("Rows to predict").set_input_files(file("more.csv", rows(0, 3)))
    assert len(download.value.path().read_text().splitlines()) == 4


def test_a_model_of_a_dataset_by_name_is_asked_too(open_page, trained):
    job = trained({"dataset": {"name": "iris"}, "training": {"epochs": 5}})
    page = open_page(f"#/jobs/{job['id']}")
    card = page.get_by_role("region", name="Ask the model")
    fields = card.get_by_role("spinbutton")
    expect(fields).to_have_count(4)
    for field in fields.all():
        field.fill("1.5")
    card.get_by_role("button", name="Predict", exact=True).click()
    expect(card.locator("output")).to_contain_text(re.compile("setosa|versicolor|virginica"))
