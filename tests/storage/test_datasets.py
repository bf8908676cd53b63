"""Uploaded datasets in the database."""

import pytest

from api_schemas.datasets import DatasetFile, Preview
from storage.datasets import NewDataset, add_dataset, get_dataset
from storage.inspections import Contents, claim_inspection, finish_inspection, report_rows_read


@pytest.fixture
def dataset(database):
    file = DatasetFile(name="a.csv", sha256="0" * 64, bytes=9)
    return add_dataset(database, "default", NewDataset("a", "csv", [file], None, []))[0]


def test_how_many_rows_are_read_is_told_until_all_are(database, dataset):
    def told():
        return get_dataset(database, "default", dataset.id)

    assert told().progress.rows_read is None
    inspection = claim_inspection(database, dataset.id, 60)
    assert report_rows_read(database, inspection, 5_000, 60)
    assert (told().progress.rows_read, told().version) == (5_000, dataset.version + 1)
    finish_inspection(database, inspection, Contents(9, [], [], Preview(columns=[], rows=[]), "1" * 64, None))
    assert (told().state, told().progress, told().rows) == ("ready", None, 9)
    assert not report_rows_read(database, inspection, 9, 60)


def test_a_reader_that_lost_its_dataset_is_told_so(database, dataset):
    lost = claim_inspection(database, dataset.id, -1)
    assert claim_inspection(database, dataset.id, 60).attempt == lost.attempt + 1
    assert not report_rows_read(database, lost, 5_000, 60)
