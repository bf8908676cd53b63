"""Tables over HTTP: several files with the split that their names say, and what a change has read again."""

from __future__ import annotations

import io
import zipfile
from xml.etree import ElementTree as ET

import polars as pl
import pytest
from PIL import Image

from tests.servers import wait_until

SVG = "{http://www.w3.org/2000/svg}"


def upload(client, *files, **fields):
    answer = client.post("/v1/datasets", files=[("file", file) for file in files], data=fields)
    assert answer.status_code == 202, answer.json()
    path = f"/v1/datasets/{answer.json()['id']}"
    wait_until(lambda: client.get(path).json()["terminal"], 60, "the dataset to be read")
    return client.get(path).json()


def patch(client, dataset, **change):
    answer = client.patch(f"/v1/datasets/{dataset['id']}", json=change)
    assert answer.status_code == 200, answer.json()
    wait_until(lambda: client.get(f"/v1/datasets/{dataset['id']}").json()["terminal"], 60, "it to be read again")
    return client.get(f"/v1/datasets/{dataset['id']}").json()


def warned(dataset):
    return {(fault["code"], fault["pointer"]) for fault in dataset["warnings"]}


def roles(dataset):
    return {column["name"]: column["role"] for column in dataset["columns"]}


@pytest.fixture
def visits(anneal):
    """A table whose columns `ill` and `city` may both be predicted; `ill` is rare."""
    lines = "".join(f"{i % 7},{'Rome' if i * 5 % 3 else 'Oslo'},{'yes' if i % 30 == 4 else 'no'}\n" for i in range(60))
    return upload(anneal.client, ("visits.csv", f"weight,city,ill\n{lines}".encode()), target="city")


def test_warnings_are_of_the_target_that_the_dataset_has_now(anneal, visits):
    assert ("class_imbalance", "/columns/2") not in warned(visits)
    changed = patch(anneal.client, visits, target="ill")
    assert ("class_imbalance", "/columns/2") in warned(changed)
    assert roles(changed) == {"weight": "feature", "city": "feature", "ill": "target"}
    back = patch(anneal.client, visits, columns=[{"name": "city", "role": "target"}])
    assert (back["target"], warned(back)) == ("city", warned(visits))
    assert roles(back) == roles(visits)
    none = patch(anneal.client, visits, columns=[{"name": "city", "role": "ignore"}])
    assert (none["target"], roles(none)["city"]) == (None, "ignore")


def test_two_targets_at_once_are_refused_and_change_nothing(anneal, visits):
    change = {"target": "ill", "columns": [{"name": "weight", "role": "target"}]}
    refused = anneal.client.patch(f"/v1/datasets/{visits['id']}", json=change)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "two_targets")
    assert anneal.client.get(f"/v1/datasets/{visits['id']}").json() == visits


def test_images_of_another_size_are_read_again_and_are_no_target(anneal):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for place in range(6):
            image = io.BytesIO()
            Image.new("L", (12, 10), place * 40).save(image, "PNG")
            archive.writestr(f"{'ab'[place % 2]}/{place}.png", image.getvalue())
    dataset = upload(anneal.client, ("shades.zip", content.getvalue()))
    assert dataset["array"] == [1, 10, 12]
    assert patch(anneal.client, dataset, columns=[{"name": "x", "size": [4, 6]}])["array"] == [1, 4, 6]
    refused = anneal.client.patch(f"/v1/datasets/{dataset['id']}", json={"target": "x"})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "no_target")


def test_files_named_for_their_parts_train_and_judge_by_them(anneal):
    lines = [f"{i % 10 / 10},{'big' if i % 10 > 4 else 'small'}\n" for i in range(70)]
    files = [
        ("train.csv", "x,kind\n" + "".join(lines[:40])),
        ("validation.csv", "x,kind\n" + "".join(lines[40:50])),
        ("test.csv", "kind,x\n" + "".join(",".join(reversed(line.strip().split(","))) + "\n" for line in lines[50:])),
    ]
    dataset = upload(anneal.client, *((name, content.encode()) for name, content in files), target="kind")
    assert [file["name"] for file in dataset["files"]] == [name for name, _ in files]
    assert (dataset["rows"], dataset["columns"][-1]["role"]) == (70, "split")
    spec = {"dataset": {"id": dataset["id"]}, "training": {"epochs": 2, "batch_size": 10}}
    plan = anneal.client.post("/v1/jobs?validate_only=true", json=spec).json()
    assert (plan["train_rows"], plan["validation_rows"], plan["test_rows"]) == (40, 10, 20)
    job = anneal.client.post("/v1/jobs", json=spec).json()
    path = f"/v1/jobs/{job['id']}"
    wait_until(lambda: anneal.client.get(path).json()["terminal"], 60, "the job to end")
    done = anneal.client.get(path).json()
    assert (done["state"], "test/accuracy" in done["metrics"]) == ("succeeded", True)


def test_the_values_of_a_column_are_drawn(anneal, visits):
    def picture(name):
        return anneal.client.get(f"/v1/datasets/{visits['id']}/columns/{name}/histogram.svg")

    numbers, words = picture("weight"), picture("city")
    assert numbers.headers["content-type"] == "image/svg+xml"
    bars = [bar for bar in ET.fromstring(numbers.text).iter(f"{SVG}rect") if bar.get("class") == "train-fill"]
    heights = [float(bar.get("height") or 0) for bar in bars]
    bins = visits["columns"][0]["stats"]["bins"]
    assert [round(height / max(heights) * max(bins)) for height in heights] == bins
    assert {"Rome", "Oslo", "40", "20"} <= {label.text for label in ET.fromstring(words.text).iter(f"{SVG}text")}
    assert (picture("wait").status_code, "'weight'" in picture("wait").json()["detail"]) == (404, True)


def test_a_folder_of_sparks_is_its_files_that_hold_rows(anneal):
    def part(rows):
        out = io.BytesIO()
        rows.write_parquet(out)
        return out.getvalue()

    frame = pl.DataFrame({"a": range(9), "b": [0.5] * 9})
    files = {"part-0.snappy.parquet": part(frame[:9]), "part-1.snappy.parquet": part(frame[:0])}
    files |= {"_SUCCESS": b"", ".part-0.snappy.parquet.crc": b"crc\0"}
    sent = anneal.client.post("/v1/datasets", files=[("file", file) for file in files.items()])
    assert sent.status_code == 202, sent.text
    address = f"/v1/datasets/{sent.json()['id']}"
    found = wait_until(lambda: (now := anneal.client.get(address).json())["terminal"] and now)
    assert (found["state"], found["rows"], len(found["files"])) == ("ready", 9, 2)
