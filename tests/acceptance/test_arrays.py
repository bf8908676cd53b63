"""Images and arrays over HTTP: uploaded as other tools write them, looked at, trained on; hostile files are refused."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from client import Client
from tests.servers import wait_until
from tests.training.test_arrays import HOSTILE, idx

PIXELS, DIGITS = load_digits(return_X_y=True)
IMAGES = PIXELS.reshape(-1, 8, 8).astype(np.uint8)
MNIST = {
    "train-images-idx3-ubyte.gz": gzip.compress(idx(IMAGES[:1400])),
    "train-labels-idx1-ubyte.gz": gzip.compress(idx(DIGITS[:1400].astype(np.uint8))),
    "t10k-images-idx3-ubyte.gz": gzip.compress(idx(IMAGES[1400:])),
    "t10k-labels-idx1-ubyte.gz": gzip.compress(idx(DIGITS[1400:].astype(np.uint8))),
}


def upload(client, files, **fields):
    return client.post("/v1/datasets", files=[("file", file) for file in files.items()], data=fields)


@pytest.fixture(scope="module")
def mnist(anneal):
    answer = upload(anneal.client, MNIST, name="small mnist")
    assert answer.status_code == 202, answer.text
    return answer.json()


def test_four_files_become_one_dataset_of_images_with_its_split(anneal, mnist):
    assert (mnist["state"], mnist["rows"], mnist["target"], mnist["array"]) == ("ready", 1797, "y", [8, 8])
    assert [file["name"] for file in mnist["files"]] == list(MNIST)
    assert [(column["name"], column["type"], column["role"]) for column in mnist["columns"]] == [
        ("x", "array", "feature"),
        ("y", "numeric", "target"),
        ("split", "category", "split"),
    ]
    assert mnist["columns"][1]["stats"]["counts"] == np.bincount(DIGITS).tolist()
    preview = anneal.client.get(f"/v1/datasets/{mnist['id']}/preview").json()
    assert preview["columns"] == ["x", "y", "split"]
    assert preview["rows"][0][1:] == [0, "train"]


def test_a_picture_shows_the_images_of_a_class(anneal, mnist):
    answer = anneal.client.get(f"/v1/datasets/{mnist['id']}/images.png", params={"class": "3", "limit": 12})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    shown = np.asarray(Image.open(io.BytesIO(answer.content)).convert("L"))
    side, gap = 128, 12
    for place, row in enumerate(np.flatnonzero(DIGITS == 3)[:10]):  # the first row of the grid
        left = gap + place * (side + gap)
        tile = shown[gap + 8 : gap + side : 16, left + 8 : left + side : 16].astype(float)
        assert np.abs(tile - IMAGES[row] * (255 / 16)).max() < 2
    refused = anneal.client.get(f"/v1/datasets/{mnist['id']}/images.png", params={"class": "x"})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/class")


def test_a_table_has_no_images(anneal):
    table = upload(anneal.client, {"a.csv": b"a,b\n1,2\n3,4\n"}).json()
    assert anneal.client.get(f"/v1/datasets/{table['id']}/images.png").status_code == 409


def test_a_cnn_learns_the_images_and_is_judged_on_the_given_test_rows(anneal, mnist):
    spec = {"dataset": {"id": mnist["id"]}, "model": {"name": "cnn", "channels": [8, 16]}}
    spec |= {
        "preprocessing": {"numeric": {"name": "channel_standard"}},
        "training": {"epochs": 4},
        "optimizer": {"name": "adam", "lr": 0.01},
    }
    assert anneal.client.post("/v1/jobs?validate_only=true", json=spec).json()["test_rows"] == 397
    job = anneal.client.post("/v1/jobs", json=spec).json()
    done = wait_until(lambda: (now := anneal.client.get(f"/v1/jobs/{job['id']}").json())["terminal"] and now, 60)
    assert done["state"] == "succeeded", done
    assert done["metrics"]["test/accuracy"]["last"] > 0.85


@pytest.mark.parametrize("what", ["pickled objects", "a path that leads out", "an image of 100,000 x 100,000"])
def test_a_hostile_file_is_refused_with_its_reason_and_the_worker_goes_on(anneal, what):
    _, files, code = HOSTILE[what]
    before = anneal.client.get("/v1/datasets", params={"limit": 1}).json()["data"]
    answer = upload(anneal.client, files)
    assert answer.status_code == 422, answer.text
    (fault,) = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/file", code)
    assert anneal.client.get("/v1/datasets", params={"limit": 1}).json()["data"] == before


@pytest.mark.parametrize("size", ["big", "0", "1x2x3", "5000", "-3x4"])
def test_an_image_size_that_is_none_is_refused(anneal, size):
    answer = upload(anneal.client, {"a.zip": b"PK"}, image_size=size)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/image_size")


def test_files_of_two_kinds_are_no_dataset(anneal):
    answer = upload(anneal.client, {"a.csv": b"a,b\n1,2\n", "b.npz": b"PK"})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "several_formats")


def test_the_command_and_the_client_take_several_files(anneal, tmp_path):
    paths = [tmp_path / name for name in list(MNIST)[:2]]
    for path in paths:
        path.write_bytes(MNIST[path.name])
    environment = {**os.environ, "ANNEAL_URL": anneal.url}
    command = [
        sys.executable,
        "-c",
        "from client.command import main; main()",
        "--json",
        "datasets",
        "add",
        *map(str, paths),
    ]
    told = json.loads(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
    assert (told["rows"], len(told["files"])) == (1400, 2)
    with Client(anneal.url) as client:
        assert client.datasets.upload(*paths).sha256 == told["sha256"]
