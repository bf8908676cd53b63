"""A dataset by URL is fetched once, read, and keeps what it was."""

from __future__ import annotations

import hashlib

import pytest

from api_schemas.datasets import DatasetChange, DatasetFile
from storage import datasets
from storage.artifacts import FileArtifacts
from storage.database import Database
from storage.datasets import NewDataset
from storage.migrations import upgrade
from storage.settings import Settings
from tests.worker.hosts import TABLE, serving
from worker.inspection import inspect_dataset
from worker.process import warm_up


@pytest.fixture
def server():
    """Who has the file."""
    with serving() as server:
        yield server


@pytest.fixture
def database(sqlite_url):
    """A database without anything in it."""
    upgrade(sqlite_url)
    opened = Database(sqlite_url)
    yield opened
    opened.close()


@pytest.fixture
def inspected(database, server, tmp_path):
    """Have a worker inspect the dataset at a path of the server, or one that is there already."""
    warm_up()
    host = f"data.example.org:{server.server_port}"
    settings = Settings(home=tmp_path, fetch_hosts=f"http://{host}")
    artifacts = FileArtifacts(tmp_path / "artifacts")

    def inspected(path=None, dataset_id=None, target=None):
        if path is not None:
            file = DatasetFile(name="data.csv", sha256="", bytes=0)
            new = NewDataset("data.csv", "csv", [file], target, [], f"http://{host}{path}")
            dataset_id = datasets.add_dataset(database, "default", new)[0].id
        inspect_dataset(database, artifacts, settings, dataset_id, "tests.worker.work:fetch_from_this_machine")
        return datasets.get_dataset(database, "default", dataset_id)

    return inspected


def test_what_was_fetched_is_a_dataset_as_if_it_had_been_uploaded(inspected):
    dataset = inspected("/data.csv")
    assert (dataset.state, dataset.rows, dataset.bytes) == ("ready", 500, len(TABLE))
    assert dataset.sha256 == dataset.files[0].sha256 == hashlib.sha256(TABLE).hexdigest()
    assert [column.name for column in dataset.columns] == ["a", "b"]


def test_a_dataset_that_is_read_again_is_not_fetched_again(inspected, database, server):
    dataset = inspected("/data.csv")
    change = DatasetChange.model_validate({"columns": [{"name": "a", "type": "category"}]})
    datasets.change_dataset(database, "default", dataset.id, change)
    assert inspected(dataset_id=dataset.id).columns[0].type == "category"
    assert len(server.asked) == 1


def test_a_target_that_the_file_does_not_have_is_the_fault_of_the_dataset(inspected):
    dataset = inspected("/data.csv", target="c")
    assert (dataset.state, dataset.error.code, dataset.error.pointer) == ("failed", "unknown_column", "/target")


def test_a_file_that_cannot_be_fetched_leaves_a_failed_dataset_with_the_reason(inspected):
    dataset = inspected("/status/404")
    assert (dataset.state, dataset.error.code, dataset.error.pointer) == ("failed", "not_found", "/source/url")
    assert "404" in dataset.error.message
