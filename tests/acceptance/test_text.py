"""A language model learns a text that somebody uploads."""

from __future__ import annotations

import io
import math
import zipfile
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from tests.servers import wait_until

CATALOG = Path(__file__).parents[2] / "docs" / "catalog.md"
GPT = {"name": "gpt", "context": 32}


def bigram_entropy(text):
    """Bits that are left of a character when the one before it is known, for whoever knows this text's own pairs."""
    pairs, firsts = Counter(pairwise(text)), Counter(text[:-1])
    return -sum(count * math.log2(count / firsts[pair[0]]) for pair, count in pairs.items()) / (len(text) - 1)


def uploaded(anneal, data, name="text.md"):
    return anneal.client.post("/v1/datasets", files={"file": (name, data)})


def finished(anneal, spec):
    answer = anneal.client.post("/v1/jobs", json=spec)
    assert answer.status_code < 300, answer.text
    address = answer.headers["location"]
    return wait_until(lambda: (job := anneal.client.get(address).json())["terminal"] and job, 150)


def test_a_language_model_on_a_text_of_this_repository_beats_its_bigram_entropy(anneal):
    text = CATALOG.read_bytes()[:100_000]
    dataset = uploaded(anneal, text).json()
    assert (dataset["state"], dataset["format"]) == ("ready", "text")
    assert dataset["rows"] == sum(dataset["columns"][0]["stats"]["counts"]) == len(text.decode())
    job = finished(
        anneal,
        {
            "dataset": {"id": dataset["id"]},
            "model": GPT,
            "optimizer": {"name": "adamw", "lr": 0.005},
            "schedule": [{"name": "linear_warmup", "steps": 30}, {"name": "cosine"}],
            "training": {"epochs": 3, "batch_size": 16},
        },
    )
    held_out = text[-20_000:].decode()
    assert job["state"] == "succeeded", job["error"]
    assert job["metrics"]["val/bits_per_character"]["last"] < bigram_entropy(held_out) - 0.5
    assert job["metrics"]["val/perplexity"]["better"] == "lower"


def test_a_text_that_ships_with_python_needs_no_upload(anneal):
    spec = {"dataset": {"name": "python_reference", "characters": 5000}, "model": {**GPT, "width": 16}}
    job = finished(anneal, spec | {"training": {"epochs": 1, "batch_size": 16}, "split": {"test": 0.1}})
    assert job["state"] == "succeeded", job["error"]
    assert 0 < job["metrics"]["test/bits_per_character"]["last"] < 7


@pytest.fixture(scope="module")
def chain(anneal):
    """A job that learned a chain of letters whose next one is all but certain."""
    dataset = {"name": "markov_text", "n": 20_000, "order": 1, "noise": 0.001}
    training = {"epochs": 2, "batch_size": 32}
    model = {**GPT, "width": 16, "layers": 1}
    return finished(
        anneal, {"dataset": dataset, "model": model, "training": training, "optimizer": {"name": "adam", "lr": 0.01}}
    )


def test_a_language_model_goes_on_with_a_prompt_and_says_the_same_again(anneal, chain):
    address = f"/v1/jobs/{chain['id']}/predict"
    asked = {"prompt": "abcd", "length": 12, "temperature": 0}
    answer, again = (anneal.client.post(address, json=asked) for _ in range(2))
    assert answer.status_code == 200, answer.text
    assert answer.json() == again.json()
    (text,) = answer.json()["predictions"]
    steps = {(ord(after) - ord(before)) % 4 for before, after in pairwise(text)}
    assert (len(text), len(steps)) == (12, 1)
    warm = {**asked, "temperature": 50, "seed": 3}
    assert anneal.client.post(address, json=warm).json() != answer.json()


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [({"prompt": "xyz"}, "/prompt"), ({"rows": [{"text": "abc"}]}, "/rows"), ({"columns": {"a": [1]}}, "/columns")],
)
def test_what_a_language_model_cannot_go_on_with_is_refused_at_its_place(anneal, chain, asked, pointer):
    answer = anneal.client.post(f"/v1/jobs/{chain['id']}/predict", json=asked)
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_language_model_is_handed_out_with_a_card(anneal, chain):
    assert anneal.client.get(f"/v1/jobs/{chain['id']}/model").status_code == 200
    with zipfile.ZipFile(io.BytesIO(anneal.client.get(f"/v1/jobs/{chain['id']}/model?format=zip").content)) as archive:
        assert "gpt" in archive.read("README.md").decode()


def test_what_is_no_text_is_refused_where_it_is_uploaded(anneal):
    answer = uploaded(anneal, b"good\nna\xefve\n", "notes.txt")
    assert answer.status_code == 422
    assert [(error["code"], error["pointer"]) for error in answer.json()["errors"]] == [("not_utf8", "/file")]


@pytest.mark.parametrize(
    ("model", "pointer"), [({"name": "mlp"}, "/model/name"), ({"name": "gpt", "context": 999}, "/model/context")]
)
def test_what_does_not_fit_a_text_is_refused_at_its_place(anneal, model, pointer):
    dataset = uploaded(anneal, b"a text of a few words\n" * 20).json()
    answer = anneal.client.post("/v1/jobs", json={"dataset": {"id": dataset["id"]}, "model": model})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
