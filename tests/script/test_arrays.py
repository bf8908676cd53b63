"""A script reads uploaded arrays and images as the run did."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from api_schemas.datasets import Dataset, DatasetFile
from script.program import write_script
from tests.script.runs import job_of, played, tidy, trained
from tests.training.test_arrays import idx, picture, zipped
from training.data.arrays import inspect_arrays

PIXELS, DIGITS = load_digits(return_X_y=True)
IMAGES = PIXELS[:200].reshape(-1, 8, 8).astype(np.uint8)
CLASSES = DIGITS[:200]
CNN = {"model": {"name": "cnn", "channels": [4]}, "preprocessing": {"numeric": {"name": "channel_standard"}}}
SIZED = np.random.default_rng(0).integers(0, 256, (60, 6, 8, 3), dtype=np.uint8)


def uploads(folder):
    """By format: the files, and what a job on them says."""
    np.savez(
        folder / "coloured.npz", x=SIZED, labels=np.array(["dark", "light"] * 30), split=["train"] * 50 + ["test"] * 10
    )
    np.savez(
        folder / "rows.npz",
        x_train=PIXELS[:150],
        y_train=PIXELS[:150].mean(axis=1),
        x_val=PIXELS[:9],
        y_val=PIXELS[:9, 1],
    )
    (folder / "train-images-idx3-ubyte").write_bytes(idx(IMAGES))
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(CLASSES.astype(np.uint8)))
    made = {f"{'ab'[n % 2]}/{n}.png": picture(pixels) for n, pixels in enumerate(SIZED)}
    (folder / "pets.zip").write_bytes(zipped(made | {"a/odd.jpg": picture(SIZED[0, :5], "JPEG")}))
    return {
        "npz": (["coloured.npz"], CNN),
        "columns": (["rows.npz"], {"loss": {"name": "mse"}}),
        "idx": (["train-images-idx3-ubyte", "train-labels-idx1-ubyte"], CNN | {"preprocessing": {}}),
        "images": (["pets.zip"], CNN),
    }


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """By format: what the run says and what the script prints."""
    folder = tmp_path_factory.mktemp("arrays")
    expected, scripts = {}, []
    for name, (files, asked) in uploads(folder).items():
        form = "npz" if name == "columns" else name
        found = inspect_arrays({file: folder / file for file in files}, form)
        dataset = dataset_of(found, form, files)
        spec = {"dataset": {"id": "ds_1"}, "target": found.target, "training": {"epochs": 2, "batch_size": 16}}
        job = job_of(spec | asked, dataset)
        (folder / f"{name}.py").write_text(write_script(job, dataset))
        scripts.append([str(folder / f"{name}.py"), *(str(folder / file) for file in files)])
        expected[name] = trained(job, folder, dataset, found.arrays)
    tidy([folder / f"{name}.py" for name in expected])
    return expected, dict(zip(expected, played(scripts, folder), strict=True))


def dataset_of(found, form, files):
    array = next((tuple(column.stats.shape) for column in found.columns if column.type == "array"), None)
    known = {"id": "ds_1", "name": "file", "state": "ready", "terminal": True, "created_at": "2024-01-01T00:00:00Z"}
    known |= {"version": 1, "sha256": "", "bytes": 0, "format": form, "rows": found.rows, "columns": found.columns}
    of = [DatasetFile(name=file, sha256="", bytes=0) for file in files]
    return Dataset.model_validate(known | {"array": array, "target": found.target, "files": of})


@pytest.mark.parametrize("name", ["npz", "columns", "idx", "images"])
def test_a_script_reads_its_arguments_and_prints_the_numbers_of_the_run(told, name):
    expected, printed = told
    assert printed[name] == expected[name]
    assert expected[name][-1].startswith("weights_sha256 ")
