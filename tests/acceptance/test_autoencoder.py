"""An autoencoder over HTTP: a code of eight numbers, better than principal components, and a row that stands out."""

from __future__ import annotations

import csv
import io

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from tests.servers import wait_until
from training.data.split import split_rows

DIGITS = {
    "dataset": {"name": "digits"},
    "model": {"name": "autoencoder", "hidden": [128], "code": 8},
    "preprocessing": {"numeric": {"name": "minmax"}},
    "optimizer": {"name": "adam", "lr": 0.003},
    "schedule": [{"name": "cosine"}],
    "training": {"epochs": 30},
}


def ended(client, spec):
    answer = client.post("/v1/jobs", json=spec)
    assert answer.status_code == 202, answer.text
    address = answer.headers["location"]
    job = wait_until(lambda: (now := client.get(address).json())["terminal"] and now, 60, "the end of the job")
    assert job["state"] == "succeeded", job["error"]
    return job


def left_by_components(rows, pixels):
    """What eight principal components of the training rows miss of the validation rows, pixels from 0 to 1."""
    low, high = pixels[rows.train].min(axis=0), pixels[rows.train].max(axis=0)
    scaled = (pixels - low) / np.where(high > low, high - low, 1)
    turned = PCA(8).fit(scaled[rows.train])
    given_back = turned.inverse_transform(turned.transform(scaled[rows.validation]))
    return np.square(given_back - scaled[rows.validation]).mean()


def test_a_code_of_digits_beats_principal_components_and_an_odd_row_stands_out(anneal):
    client, pixels = anneal.client, load_digits().data
    job = ended(client, DIGITS)
    rows = split_rows(len(pixels), round(0.2 * len(pixels)), 0, seed=0)
    assert job["metrics"]["val/loss"]["last"] < 0.8 * left_by_components(rows, pixels)

    columns = list(load_digits().feature_names)
    checkered = np.indices((8, 8)).sum(axis=0).ravel() % 2 * 16.0
    asked = np.vstack([pixels, checkered])
    answer = client.post(
        f"/v1/jobs/{job['id']}/predict", json={"columns": dict(zip(columns, asked.T.tolist(), strict=True))}
    ).json()
    *usual, odd = answer["predictions"]
    assert np.mean(odd > np.array(usual)) > 0.99
    assert np.shape(answer["codes"]) == (len(asked), 8)
    held = np.array(usual)[rows.validation]
    np.testing.assert_allclose(held.mean(), job["metrics"]["val/loss"]["last"], rtol=1e-4)
    came_back = np.array([[row[name] for name in columns] for row in answer["reconstructions"]])
    assert np.abs(came_back[:-1] - pixels).mean() < 2  # of 16 shades


def test_a_table_without_a_target_learns_to_give_itself_back(anneal):
    client, rng = anneal.client, np.random.default_rng(0)
    size = rng.normal(50, 10, 200)
    lines = [f"{size[row]},{'small' if size[row] < 50 else 'large'},{2 * size[row] + 7}" for row in range(200)]
    sent = client.post("/v1/datasets", files={"file": ("sizes.csv", "\n".join(["size,kind,price", *lines]).encode())})
    spec = {"dataset": {"id": sent.json()["id"]}, "model": {"name": "autoencoder", "hidden": [16], "code": 1}}
    refused = client.post("/v1/jobs", json=spec | {"loss": {"name": "cross_entropy"}})
    assert [fault["pointer"] for fault in refused.json()["errors"]] == ["/loss"]
    job = ended(client, spec | {"optimizer": {"name": "adam", "lr": 0.01}, "training": {"epochs": 60}})
    assert job["spec"]["target"] is None

    table = "size,kind,price\n60,large,127\n60,small,20\n"
    told = client.post(f"/v1/jobs/{job['id']}/predict", files={"file": ("rows.csv", table.encode())}).text
    usual, odd = csv.DictReader(io.StringIO(told))
    assert float(odd["prediction"]) > 10 * float(usual["prediction"])
    assert usual["reconstruction_kind"] == "large"
    assert abs(float(usual["reconstruction_price"]) - 127) < 10
    exported = client.get(f"/v1/jobs/{job['id']}/model?format=onnx")
    assert exported.status_code == 200, exported.text
