"""Names of models, as a person finds them."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect


@pytest.fixture
def named(anneal):
    """A job whose model is called `plonk`."""
    client = anneal.client
    job = client.post("/v1/jobs", json={"dataset": {"name": "wine"}, "training": {"epochs": 1}}).json()
    while not job["terminal"]:
        job = client.get(f"/v1/jobs/{job['id']}", headers={"Prefer": "wait=30"}).json()
    client.put("/v1/models/plonk", json={"job": job["id"], "aliases": ["champion"]}).raise_for_status()
    yield job["id"]
    client.delete("/v1/models/plonk")


def test_a_name_shows_its_versions_and_hands_out_their_files(open_page, named):
    page = open_page()
    page.keyboard.press("m")
    model = page.get_by_role("region", name="plonk")
    expect(model).to_contain_text("champion")
    with page.expect_download() as download:
        model.get_by_role("link", name="zip with README").click()
    assert download.value.suggested_filename == f"{named}.zip"
    model.get_by_role("link", name=named).click()
    expect(page.get_by_role("heading", name="untitled")).to_be_visible()
    expect(page.get_by_role("link", name="ONNX")).to_be_visible()
