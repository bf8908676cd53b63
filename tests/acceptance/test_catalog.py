"""The catalog and a job's schema as a form reads them."""

from __future__ import annotations

import re

import pytest


def test_a_job_has_the_kind_in_its_schema_where_it_names_an_entry(anneal):
    schema = anneal.client.get("/v1/jobs/schema").raise_for_status().json()
    assert schema["properties"]["optimizer"]["catalog"] == "optimizers"
    for kind in re.findall(r"'catalog': '(\w+)'", str(schema)):
        assert anneal.client.get(f"/v1/catalog/{kind}").json()["data"]


@pytest.mark.parametrize(
    "path", ["/v1/jobs/schema", "/v1/catalog", "/v1/catalog/optimizers", "/v1/catalog/optimizers/adam"]
)
def test_what_does_not_change_is_not_sent_twice(anneal, path):
    first = anneal.client.get(path).raise_for_status()
    again = anneal.client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert anneal.client.get(path, headers={"If-None-Match": '"another"'}).content == first.content


def test_an_optimizer_has_a_picture_of_its_path(anneal):
    picture = anneal.client.get("/v1/catalog/optimizers/adam/paths.svg").raise_for_status()
    assert picture.headers["content-type"].startswith("image/svg+xml")
    assert "Rosenbrock" in picture.text
    missing = anneal.client.get("/v1/catalog/optimizers/adamm/paths.svg")
    assert (missing.status_code, "did you mean 'adam'" in missing.json()["detail"]) == (404, True)
