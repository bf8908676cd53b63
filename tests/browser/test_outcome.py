"""What a job leaves behind, as a person finds it on its page."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from playwright.sync_api import expect

from training.load import load

DIGITS = {
    "name": "digits in a hurry",
    "dataset": {"name": "digits"},
    "model": {"name": "cnn"},
    "training": {"epochs": 6, "checkpoint_every_steps": 40},
}


@pytest.fixture(scope="module")
def digits(trained):
    return trained(DIGITS)


@pytest.fixture
def plonk(anneal):
    """A name that nothing else has."""
    yield "plonk"
    anneal.client.delete("/v1/models/plonk")


def test_a_model_is_saved_in_the_format_that_is_asked_for(open_page, digits):
    card = open_page(f"#/jobs/{digits['id']}").get_by_role("region", name="Model", exact=True)
    for name, ending, begins in (("zip with README", "zip", b"PK"), ("ONNX", "onnx", b"\x08")):
        with card.page.expect_download() as download:
            card.get_by_role("link", name=name).click()
        assert download.value.suggested_filename == f"{digits['id']}.{ending}"
        assert download.value.path().read_bytes().startswith(begins)
    expect(card.page.get_by_role("status").last).to_have_text(f"Saved {digits['id']}.onnx")


def test_a_format_that_cannot_be_had_says_why(open_page, anneal, trained):
    job = trained({"dataset": {"name": "wine"}, "training": {"epochs": 1}})
    card = open_page(f"#/jobs/{job['id']}").get_by_role("region", name="Model", exact=True)
    expect(card).to_be_visible()
    anneal.client.delete(f"/v1/jobs/{job['id']}").raise_for_status()
    card.get_by_role("link", name="torch.export").click()
    expect(card.get_by_role("alert")).to_contain_text("there is no job")


def test_a_model_gets_a_name_on_the_page_of_its_job(open_page, digits, plonk):
    page = open_page(f"#/jobs/{digits['id']}")
    form = page.get_by_role("form", name="A name for the model")
    form.get_by_label("Name").fill(plonk)
    form.get_by_label("Alias").fill("champion")
    form.get_by_role("button", name="Name it").click()
    expect(page.get_by_text("Called plonk@1 (champion)")).to_be_visible()
    page.reload()
    page.get_by_role("link", name="plonk@1").click()
    expect(page.get_by_role("region", name=plonk)).to_contain_text("champion")


def test_kept_checkpoints_are_listed_and_a_job_begins_with_the_best(open_page, anneal, digits):
    page = open_page(f"#/jobs/{digits['id']}")
    card = page.get_by_role("region", name="Checkpoints")
    kept = anneal.client.get(f"/v1/jobs/{digits['id']}/checkpoints").json()["data"]
    (best,) = (one["step"] for one in kept if one["best"])
    expect(card.locator("tbody").get_by_role("row")).to_have_count(len(kept))
    expect(card.get_by_role("row").filter(has_text="best").get_by_role("rowheader")).to_have_text(str(best))
    with page.expect_download() as download:
        card.get_by_role("row").filter(has_text="best").get_by_role("link").click()
    assert download.value.suggested_filename == f"{digits['id']}.{best}.safetensors"
    card.get_by_role("button", name=f"Train on from step {best}").click()
    spec = page.get_by_role("textbox", name="Spec")
    expect(spec).to_have_value(re.compile('"checkpoint": "best"'))
    assert json.loads(spec.input_value())["init"]["job"] == digits["id"]
    expect(page.get_by_role("button", name="Submit")).to_be_enabled()


def test_a_row_of_many_numbers_is_asked_as_json_and_begins_with_one_of_the_middle(open_page, anneal, digits, tmp_path):
    page = open_page(f"#/jobs/{digits['id']}")
    card = page.get_by_role("region", name="Ask the model")
    row = json.loads(card.get_by_label("A row as JSON").input_value())
    assert np.mean(list(row.values())) == pytest.approx(4.88, abs=0.1)  # of all pixels of scikit-learn's digits
    card.get_by_role("button", name="Predict", exact=True).click()
    (tmp_path / "model.zip").write_bytes(anneal.client.get(f"/v1/jobs/{digits['id']}/model?format=zip").content)
    expected = load(tmp_path / "model.zip").predict({name: [value] for name, value in row.items()}).predictions[0]
    expect(card.locator("output")).to_contain_text(f"target: {expected}")
