"""What a file is, told by its name."""

from __future__ import annotations

from typing import get_args

import pytest

from api_schemas.datasets import Format
from api_schemas.errors import InvalidRequest
from api_schemas.formats import COMPRESSIONS, FORMATS, format_of, is_marker


def test_every_format_is_described_once():
    assert sorted(known.name for known in FORMATS) == sorted(get_args(Format))


@pytest.mark.parametrize(
    ("name", "format_"), [(f"a.b{ending}", known.name) for known in FORMATS for ending in known.endings]
)
def test_an_ending_tells_the_format_compressed_or_in_capitals_too(name, format_):
    for written in (name, name.upper(), *(name + compression for compression in COMPRESSIONS)):
        assert format_of([written]) == format_


def test_the_files_of_mnist_are_known_by_their_own_names():
    assert format_of(["train-images-idx3-ubyte.gz", "train-labels.idx1-ubyte"]) == "idx"


def test_what_spark_and_others_put_beside_the_data_is_told_from_it():
    assert all(map(is_marker, ["_SUCCESS", "out/_committed_17", ".part-00000.snappy.parquet.crc", "._data.csv"]))
    assert not any(map(is_marker, ["part-00000.snappy.parquet", "data_1.csv", "_out/part-0.csv"]))


@pytest.mark.parametrize(
    ("names", "said"), [(["notes.docx"], ".parquet"), (["a.csv", "b.npz"], "of one kind"), ([""], "does not tell")]
)
def test_other_names_are_refused_with_what_is_known(names, said):
    with pytest.raises(InvalidRequest, match=said):
        format_of(names)
