"""A trained model is handed out, answers for raw rows, and has a name."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from typing import Any

import httpx
import pytest
from safetensors import safe_open

SPECIES = "kind,size,colour\n" + "".join(
    f"{'cat' if row % 3 else 'dog'},{20 + row % 3 * -10 + row / 100},{'black' if row % 2 else 'white'}\n"
    for row in range(120)
)
SPEC: dict[str, Any] = {
    "target": "kind",
    "model": {"name": "mlp", "hidden": [8], "normalization": {"name": "batch_norm"}},
    "optimizer": {"name": "adam", "lr": 0.02},
    "training": {"epochs": 20},
}


@pytest.fixture(scope="module")
def job(anneal) -> dict[str, Any]:
    """A job that learned to tell cats from dogs."""
    files = {"file": ("species.csv", SPECIES.encode())}
    dataset = anneal.client.post("/v1/datasets", files=files).json()
    job = anneal.client.post("/v1/jobs", json=SPEC | {"dataset": {"id": dataset["id"]}}).json()
    while not job["terminal"]:
        job = anneal.client.get(f"/v1/jobs/{job['id']}", headers={"Prefer": "wait=30"}).json()
    assert job["state"] == "succeeded", job["error"]
    return job


@pytest.fixture(scope="module")
def predict(anneal, job):
    def predict(body: Any = None, reference: str = f"jobs/{job['id']}", **more: Any) -> httpx.Response:
        return anneal.client.post(f"/v1/{reference}/predict", **({"json": body} if body else {}), **more)

    return predict


def test_rows_are_answered_with_class_names_and_probabilities(predict):
    answer = predict({"rows": [{"size": 5, "colour": "black"}, {"colour": "white", "size": "20.2"}]})
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert (said["target"], said["classes"], said["predictions"]) == ("kind", ["cat", "dog"], ["cat", "dog"])
    assert [sum(row) for row in said["probabilities"]] == pytest.approx([1, 1])


def test_columns_and_rows_are_two_ways_to_say_the_same(predict):
    by_row = predict({"rows": [{"size": 5, "colour": "black"}, {"size": 20, "colour": "red"}]}).json()
    assert predict({"columns": {"size": [5, 20], "colour": ["black", "red"]}}).json() == by_row


@pytest.mark.parametrize(
    ("body", "pointer", "said"),
    [
        ({"rows": [{"size": 1, "color": "black"}]}, "/rows", "did you mean 'color'"),
        (
            {"rows": [{"size": 1, "colour": "black"}, {"size": "big", "colour": "black"}]},
            "/rows/1/size",
            "finite number",
        ),
        ({"columns": {"size": [1, None], "colour": ["black", "black"]}}, "/columns/size/1", "no value"),
        ({"columns": {"size": [1, 2], "colour": ["black"]}}, "", "lengths"),
        ({"rows": []}, "/rows", "at least 1"),
        ({"rowz": [{}]}, "/rowz", "did you mean 'rows'"),
        ({"rows": [{"size": 1}], "columns": {"size": [1]}}, "", "either"),
    ],
)
def test_what_cannot_be_predicted_is_refused_at_its_place(predict, body, pointer, said):
    answer = predict(body)
    assert answer.status_code == 422, answer.text
    fault = answer.json()["errors"][0]
    assert fault["pointer"] == pointer
    assert said in fault["message"]


def test_a_file_comes_back_with_the_answers_in_further_columns(predict):
    rows = "size;colour;note\n5,5;black;a\n20,25;white;b\n"
    answer = predict(files={"file": ("new.csv", rows.encode())})
    assert answer.status_code == 200, answer.text
    found = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["note"] for row in found] == ["a", "b"]
    assert [row["prediction"] for row in found] == ["cat", "dog"]
    assert float(found[0]["probability_cat"]) > 0.5
    lines = predict(files={"file": ("new.csv", rows.encode())}, params={"output": "jsonl"}).text.splitlines()
    assert [json.loads(line)["prediction"] for line in lines] == ["cat", "dog"]


def test_a_fault_in_a_file_is_named_with_its_row(predict):
    answer = predict(files={"file": ("new.csv", b"size,colour\n5,black\nbig,white\n")})
    assert answer.status_code == 422, answer.text
    assert "row 2: column 'size'" in answer.json()["detail"]


def test_a_job_without_a_model_says_what_to_wait_for(anneal):
    spec = {"dataset": {"name": "digits"}, "resources": {"queue": "nobody"}}
    waiting = anneal.client.post("/v1/jobs", json=spec).json()
    for answer in (
        anneal.client.get(f"/v1/jobs/{waiting['id']}/model"),
        anneal.client.post(f"/v1/jobs/{waiting['id']}/predict", json={"rows": [{}]}),
        anneal.client.put("/v1/models/early", json={"job": waiting["id"]}),
    ):
        assert answer.status_code == 409
        assert "wait for its end" in answer.json()["detail"]
    anneal.client.post(f"/v1/jobs/{waiting['id']}/cancel")
    assert "left no model" in anneal.client.get(f"/v1/jobs/{waiting['id']}/model").json()["detail"]


def test_the_model_is_one_file_with_everything_in_it(anneal, job, tmp_path):
    answer = anneal.client.get(f"/v1/jobs/{job['id']}/model")
    assert answer.headers["content-disposition"] == f'attachment; filename="{job["id"]}.safetensors"'
    (tmp_path / "model").write_bytes(answer.content)
    with safe_open(tmp_path / "model", framework="np") as file:
        assert json.loads(file.metadata()["spec"]) == job["spec"]
        assert file.metadata()["weights_sha256"] == job["weights_sha256"]
    again = anneal.client.get(f"/v1/jobs/{job['id']}/model", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


def test_the_zip_has_the_same_file_and_a_card_for_people(anneal, job):
    packed = anneal.client.get(f"/v1/jobs/{job['id']}/model", params={"format": "zip"}).content
    whole = anneal.client.get(f"/v1/jobs/{job['id']}/model").content
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.testzip() is None
        assert archive.read("model.safetensors") == whole
        assert json.loads(archive.read("spec.json")) == job["spec"]
        card = archive.read("README.md").decode()
    for word in (job["id"], "val/accuracy", "cat, dog", "one of black, white"):
        assert word in card


def test_a_name_stands_for_the_newest_version_and_an_alias_for_the_one_that_it_was_given(anneal, job, predict):
    client = anneal.client
    body = {"rows": [{"size": 5, "colour": "black"}]}
    first = client.put("/v1/models/species", json={"job": job["id"], "aliases": ["champion"]}).json()
    assert (first["latest"], first["versions"][0]["aliases"]) == (1, ["champion"])
    assert client.put("/v1/models/species", json={"job": job["id"]}).json() == first
    for reference in ("species", "species@1", "species@champion"):
        assert predict(body, f"models/{reference}").json()["job"] == job["id"]
    unknown = predict(body, "models/species@champ")
    assert unknown.status_code == 404
    assert "did you mean 'champion'" in unknown.json()["detail"]
    assert "species" in [model["name"] for model in client.get("/v1/models").json()["data"]]
    kept = client.delete(f"/v1/jobs/{job['id']}")
    assert kept.status_code == 409
    assert "species@1" in kept.json()["detail"]
    assert client.delete("/v1/models/species@1").status_code == 204
    assert client.get("/v1/models/species").status_code == 404


@pytest.mark.parametrize("format_", ["onnx", "pt2"])
def test_another_format_is_made_when_it_is_asked_for_and_kept(anneal, job, format_):
    url = f"/v1/jobs/{job['id']}/model?format={format_}"
    while (answer := anneal.client.get(url)).status_code == 202:
        assert answer.headers["location"] == url
    assert answer.status_code == 200, answer.text
    assert anneal.client.get(url).headers["etag"] == answer.headers["etag"]


def test_a_job_goes_on_from_the_weights_of_another(anneal, job):
    spec = job["spec"] | {"training": {"epochs": 1}, "init": {"job": job["id"], "freeze": ["*"]}}
    tuned = anneal.client.post("/v1/jobs", json=spec).json()
    while not tuned["terminal"]:
        tuned = anneal.client.get(f"/v1/jobs/{tuned['id']}", headers={"Prefer": "wait=30"}).json()
    assert tuned["state"] == "succeeded", tuned["error"]
    assert tuned["metrics"]["val/accuracy"]["last"] == job["metrics"]["val/accuracy"]["last"]


@pytest.mark.parametrize(
    ("changes", "pointer", "said"),
    [
        ({"model": {"name": "mlp", "hidden": [9]}}, "/init/weights/0", "0.weight [8, 3], here [9, 3]"),
        ({"init": {"weights": ["9.*"]}}, "/init/weights/0", "no weight of that job"),
        ({"init": {"freeze": ["9.*"]}}, "/init/freeze/0", "no weight has a name"),
        ({"init": {"job": "job_nobody"}}, "/init/job", "no job"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name(anneal, job, changes, pointer, said):
    spec = job["spec"] | changes | {"init": {"job": job["id"]} | changes.get("init", {})}
    answer = anneal.client.post("/v1/jobs", params={"validate_only": True}, json=spec)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert said in answer.json()["errors"][0]["message"]
