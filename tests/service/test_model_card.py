"""The card of a model's zip: its example runs as it stands."""

from __future__ import annotations

import io
import re
import textwrap
import zipfile

import numpy as np
import pytest

from tests.servers import wait_until

SHORT = {"epochs": 1, "batch_size": 16}
TEXT = {"name": "markov_text", "n": 3000, "order": 1}
GPT = {"name": "gpt", "context": 16, "width": 16, "layers": 1}


def images(anneal):
    rng = np.random.default_rng(0)
    held = io.BytesIO()
    np.savez(held, x=rng.normal(size=(40, 4, 4)), y=rng.integers(0, 2, 40))
    sent = anneal.client.post("/v1/datasets", files={"file": ("small.npz", held.getvalue())})
    return {"dataset": {"id": sent.raise_for_status().json()["id"]}, "target": "y"}


def dates(anneal):
    rows = [f"2024-{1 + row % 12:02}-{1 + row % 28:02},{'ab'[row % 2]},{row}" for row in range(60)]
    sent = anneal.client.post("/v1/datasets", files={"file": ("days.csv", "\n".join(["day,kind,y", *rows]).encode())})
    return {"dataset": {"id": sent.raise_for_status().json()["id"]}, "target": "y"}


def without_target(anneal):
    return {"dataset": dates(anneal)["dataset"], "model": {"name": "autoencoder", "hidden": [8], "code": 2}}


def text(_anneal):
    return {"dataset": TEXT, "model": GPT}


def bytes_of_text(_anneal):
    return {"dataset": TEXT, "model": GPT, "preprocessing": {"text": {"name": "bytes"}}}


@pytest.mark.parametrize("spec", [images, dates, without_target, text, bytes_of_text])
def test_the_example_of_a_card_runs_beside_its_files(anneal, spec, tmp_path, monkeypatch):
    client = anneal.client
    answer = client.post("/v1/jobs", json=spec(anneal) | {"training": SHORT})
    assert answer.status_code == 202, answer.text
    address = answer.headers["location"]
    job = wait_until(lambda: (now := client.get(address).json())["terminal"] and now, 120)
    assert job["state"] == "succeeded", job["error"]
    packed = tmp_path / f"{job['id']}.zip"
    packed.write_bytes(client.get(f"{address}/model?format=zip").content)
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(tmp_path)
    (example,) = re.findall(r"(?:^    .*\n|^\n(?=    ))+", (tmp_path / "README.md").read_text(), re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    said: dict[str, object] = {}
    exec(textwrap.dedent(example), said)
    assert said["text"] if "text" in said else len(said["answer"].predictions) == 1
