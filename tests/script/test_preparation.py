"""A script splits, encodes and fills in as the run did."""

import numpy as np
import pytest

from api_schemas.datasets import ColumnChoice
from script.program import write_script
from tests.script.runs import job_of, played, tidy, trained
from tests.script.test_uploads import dataset_of
from training.data.tables import inspect

ROWS = 80


def content():
    """Numbers and categories with holes, groups of each kind, a column of parts and one of dates."""
    rng = np.random.default_rng(0)
    size, price = rng.normal(size=ROWS), rng.normal(100, 20, ROWS)
    lines = ["size,colour,grade,patient,ward,part,day,price,sold"]
    for row in range(ROWS):
        cells = ["" if row % 7 == 0 else size[row], "" if row % 9 == 4 else "rgb"[row * 5 % 3], row * 7 % 4]
        cells += [f"patient {row * row % 23}", row % 11 * 1.5, ["fold 1", "train", "test", "train"][row % 4]]
        cells += [f"2024-{row * 5 % 12 + 1:02}-{row % 28 + 1:02}", price[row], ("no", "yes")[row % 3 == 0]]
        lines.append(",".join(map(str, cells)))
    return "\n".join(lines) + "\n"


USUAL = {
    "size": {"missing": "mean"},
    "colour": {"missing": "most_frequent"},
    "grade": {"type": "category"},
    "patient": {"role": "ignore"},
    "part": {"role": "ignore"},
    "day": {"role": "ignore"},
    "price": {"role": "ignore"},
}
EMBEDDED = {"categorical": {"name": "embedding", "width": 2}}
JOBS = {
    "groups named by text": ({"patient": {"role": "group"}}, {}),
    "groups named by numbers": ({"ward": {"role": "group"}}, {"split": {"test": 0.2, "seed": 3}}),
    "a column of parts": ({"part": {"role": "split"}}, {"split": {"parts": {"fold 1": "validation"}}}),
    "a column of two parts": ({"part": {"role": "split"}}, {"split": {"parts": {"fold 1": "train"}, "seed": 1}}),
    "time": ({}, {"split": {"method": "time", "column": "day", "test": 0.1}}),
    "time by the order of rows": ({}, {"split": {"method": "time", "test": 0.1}}),
    "embedded": ({}, {"preprocessing": EMBEDDED}),
    "embedded but one, all of it filled and noted": (
        {"size": {"missing": "indicator"}, "colour": {"missing": "indicator", "encode": "onehot"}},
        {"preprocessing": EMBEDDED | {"numeric": {"name": "whiten"}}},
    ),
    "ordinal": ({}, {"preprocessing": {"categorical": {"name": "ordinal"}, "numeric": {"name": "minmax"}}}),
    "given back": ({}, {"model": {"name": "autoencoder", "hidden": [8], "code": 2}}),
    "given back, in the order of the rows": (
        {"size": {"missing": "indicator"}},
        {"model": {"name": "autoencoder", "hidden": [], "noise": 0.2}, "split": {"method": "time", "test": 0.1}},
    ),
    "ordinal alone": (
        {"size": {"role": "ignore"}, "ward": {"role": "ignore"}},
        {"preprocessing": {"categorical": {"name": "ordinal"}}},
    ),
    "noted numbers alone": (
        {"size": {"missing": "indicator"}, "colour": {"role": "ignore"}, "grade": {"role": "ignore"}},
        {"target": "price", "loss": {"name": "mse"}},
    ),
    "embedded alone": (
        {"size": {"role": "ignore"}, "ward": {"role": "ignore"}},
        {"preprocessing": {"categorical": {"name": "embedding"}}},
    ),
}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """By job: what the run says and what the script prints."""
    folder = tmp_path_factory.mktemp("preparation")
    (folder / "file.csv").write_text(content())
    expected, scripts = {}, []
    for place, (name, (said, asked)) in enumerate(JOBS.items()):
        columns = {column: USUAL.get(column, {}) | said.get(column, {}) for column in {**USUAL, **said}}
        choices = [ColumnChoice(name=column, **choice) for column, choice in columns.items()]
        found = inspect(folder / "file.csv", "csv", choices)
        dataset = dataset_of(found, "csv")
        spec = {"dataset": {"id": "ds_1"}, "target": "sold", "training": {"epochs": 2, "batch_size": 16}, **asked}
        job = job_of(spec, dataset)
        program = folder / f"{place}.py"
        program.write_text(write_script(job, dataset))
        scripts.append([str(program), str(folder / "file.csv")])
        expected[name] = trained(job, folder, dataset, found.arrays)
    return expected, dict(zip(expected, played(scripts, folder), strict=True)), [script for script, _ in scripts]


@pytest.mark.parametrize("name", JOBS)
def test_a_script_prepares_its_rows_as_the_run_did(told, name):
    expected, printed, _ = told
    assert printed[name] == expected[name]
    assert expected[name][-1].startswith("weights_sha256 ")


def test_the_scripts_are_tidy(told):
    tidy(told[2])
