"""What stands in examples/ and in the README runs, and shows what it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from tests.following import finish

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.json"))

LEARNS = {
    "diabetes": ("val/r2", 0.35),
    "digits": ("val/accuracy", 0.96),
    "mse-on-softmax": ("val/accuracy", 0.5),
    "spirals": ("val/accuracy", 0.95),
    "standardised": ("val/r2", 0.95),
    "wine": ("val/accuracy", 0.9),
}

BURSTS = {"problem-of-adagrad": True, "problem-of-adagrad-decayed": False, "problem-of-adagrad-torch": False}


def highest(anneal, job, key):
    """The largest value of a curve."""
    path = f"/v1/jobs/{job['id']}/metrics?keys={key}&max_points=5000"
    (series,) = anneal.client.get(path).json()["series"]
    return max(series["value"])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_shows_what_its_name_says(anneal, example):
    answer = anneal.client.post("/v1/jobs", json=json.loads(example.read_text()))
    assert answer.status_code == 202, answer.text
    job = finish(anneal, answer.json())
    if example.stem == "diverging":
        assert (job["state"], job["error"]["code"]) == ("failed", "diverged")
    elif example.stem in BURSTS:
        assert job["state"] == "succeeded"
        assert (highest(anneal, job, "train/loss") > 30) == BURSTS[example.stem]
    else:
        metric, least = LEARNS[example.stem]
        assert job["state"] == "succeeded"
        assert job["metrics"][metric]["best"] >= least


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
def test_every_curl_of_the_readme_does_what_it_shows(anneal, tmp_path):
    text = (ROOT / "README.md").read_text().replace("localhost:8000", anneal.url)
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    curls = [line for block in blocks for line in block.split("\n") if line.startswith("curl")]
    assert len(curls) == 14
    (tmp_path / "flowers.csv").write_text("length,width,kind\n" + "1,2,a\n2,1,b\n1.1,2.2,a\n2.2,1.1,b\n" * 10)
    known = dict(os.environ)
    for line in curls:
        if line.endswith("/predict") or "/model?" in line:
            finish(anneal, {"id": known["JOB"]})
        command = line.replace("curl", "curl --silent --show-error --fail-with-body", 1)
        done = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path, env=known, check=False
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        answer = json.loads(done.stdout or "{}")
        if answer.get("object") in ("job", "dataset"):
            known[answer["object"].upper()] = answer["id"]
    assert (tmp_path / "curve.svg").read_text().startswith("<svg")
    assert (tmp_path / "network.svg").read_text().startswith("<svg")
    assert (tmp_path / "schedule.svg").read_text().startswith("<svg")
    assert "import torch" in (tmp_path / "run.py").read_text()
    assert onnx.load(tmp_path / "model.onnx").graph.node


def test_the_python_of_the_readme_runs_as_it_stands(anneal):
    program = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[0]
    environment = dict(os.environ) | {"ANNEAL_URL": anneal.url}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    accuracy, loss = (float(number) for number in done.stdout.split())
    assert accuracy >= 0.96
    assert 0 < loss < 0.2
