"""A job's script, fetched as curl would fetch it, run on its own, and held against what the job says of itself."""

import json
import subprocess
import sys
from pathlib import Path

from tests.servers import wait_until

EXAMPLES = Path(__file__).parents[2] / "examples"

ROWS = "".join(
    f"{'' if row % 7 == 0 else row / 3},{('red', 'green', 'NA')[row % 3]},{row % 5},{('no', 'yes')[row % 4 < 2]}\n"
    for row in range(80)
)


def uploaded(anneal):
    columns = [{"name": "size", "missing": "mean"}, {"name": "colour", "missing": "most_frequent"}]
    answer = anneal.client.post(
        "/v1/datasets",
        files={"file": ("shop.csv", b"size,colour,month,sold\n" + ROWS.encode())},
        data={"target": "sold", "columns": json.dumps(columns)},
    )
    address = f"/v1/datasets/{answer.json()['id']}"
    return wait_until(lambda: (found := anneal.client.get(address).json())["terminal"] and found, 60)


def finished(anneal, spec):
    address = anneal.client.post("/v1/jobs", json=spec).raise_for_status().headers["location"]
    return wait_until(lambda: (job := anneal.client.get(address).json())["terminal"] and job, 120)


def measured(anneal, job):
    """Every point of the job but what a script does not print."""
    lines = anneal.client.get(f"/v1/jobs/{job['id']}/metrics.jsonl").text.splitlines()
    points = {(point["key"], point["step"]): point["value"] for point in map(json.loads, lines)}
    return {place: value for place, value in points.items() if place[0] not in ("lr", "train/grad_norm")}


def printed(lines):
    """The points that a script prints."""
    points = {}
    for words in map(str.split, lines):
        if words[0] == "step":
            points["train/loss", int(words[1])] = float(words[3])
        elif words[0] == "evaluation":
            values = zip(words[3::2], words[4::2], strict=True)
            points |= {(key, int(words[2])): float(value) for key, value in values}
    return points


def test_a_script_repeats_its_job_on_an_uploaded_file(anneal, tmp_path):
    dataset = uploaded(anneal)
    job = finished(
        anneal,
        {
            "dataset": {"id": dataset["id"]},
            "split": {"test": 0.1},
            "model": {"name": "mlp", "dropout": 0.2},
            "schedule": [{"name": "cosine"}],
            "training": {"epochs": 4, "batch_size": 16},
        },
    )
    assert job["state"] == "succeeded"
    answer = anneal.client.get(f"/v1/jobs/{job['id']}/script")
    assert answer.headers["content-type"].startswith("text/x-python")
    assert answer.headers["content-disposition"] == f'attachment; filename="{job["id"]}.py"'
    (tmp_path / "run.py").write_bytes(answer.content)
    (tmp_path / "shop.csv").write_text("size,colour,month,sold\n" + ROWS)
    done = subprocess.run(
        [sys.executable, "-I", "run.py", "shop.csv"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert printed(lines) == measured(anneal, job)
    assert lines[-1] == f"weights_sha256 {job['weights_sha256']}"
    alone = subprocess.run([sys.executable, "-I", "run.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert alone.stderr == "usage: python run.py data.csv\n"


def test_a_script_repeats_a_job_whose_optimizer_is_a_librarys(anneal, tmp_path):
    model = {"name": "mlp", "normalization": {"name": "ghost_batch_norm"}, "hidden": [16]}
    optimizer = {"name": "lookahead", "base": {"name": "adabelief"}}
    spec = {"dataset": {"name": "digits"}, "model": model, "optimizer": optimizer, "training": {"epochs": 1}}
    job = finished(anneal, spec)
    assert job["state"] == "succeeded", job["error"]
    (tmp_path / "run.py").write_bytes(anneal.client.get(f"/v1/jobs/{job['id']}/script").content)
    run = [sys.executable, "-I", "run.py"]
    lines = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.splitlines()
    assert printed(lines) == measured(anneal, job)
    assert lines[-1] == f"weights_sha256 {job['weights_sha256']}"


def test_a_script_of_a_job_that_diverged_ends_at_its_step(anneal, tmp_path):
    job = finished(anneal, json.loads((EXAMPLES / "diverging.json").read_text()))
    assert job["error"]["code"] == "diverged"
    (tmp_path / "run.py").write_bytes(anneal.client.get(f"/v1/jobs/{job['id']}/script").content)
    done = subprocess.run([sys.executable, "-I", "run.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert printed(done.stdout.splitlines()) == measured(anneal, job)
    assert done.stderr == "diverged\n"


def test_a_script_needs_the_dataset_of_its_job(anneal):
    dataset = uploaded(anneal)
    job = finished(anneal, {"dataset": {"id": dataset["id"]}, "training": {"epochs": 1, "batch_size": 16}})
    anneal.client.delete(f"/v1/datasets/{dataset['id']}").raise_for_status()
    answer = anneal.client.get(f"/v1/jobs/{job['id']}/script")
    assert answer.status_code == 409
    assert dataset["id"] in answer.json()["detail"]
    assert anneal.client.get("/v1/jobs/job_unknown/script").status_code == 404
