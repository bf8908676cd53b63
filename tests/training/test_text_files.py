"""A text file is its characters, counted; what is no text is refused and said where."""

import gzip

import pytest

from api_schemas.datasets import ColumnChoice
from training.data.refusal import Limits, UnreadableTable
from training.data.text_files import inspect_text


def written(folder, data):
    path = folder / "text.txt"
    path.write_bytes(data)
    return {path.name: path}


def test_a_text_is_its_characters_counted(tmp_path):
    found = inspect_text(written(tmp_path, "\ufeffein Öl\r\nein Ei\n".encode()))
    (column,) = found.columns
    assert (column.name, column.type, found.rows) == ("text", "tokens", 15)
    assert dict(zip(column.stats.categories, column.stats.counts, strict=True))["e"] == 2
    assert column.stats.categories == sorted(set("ein Öl\r\nein Ei\n"))
    assert column.stats.distinct == len(column.stats.categories)
    assert found.preview.rows == [["ein Öl"], ["ein Ei"]]
    assert found.arrays["text"].tobytes() == "ein Öl\r\nein Ei\n".encode()


def test_several_files_are_one_text_in_their_order(tmp_path):
    parts = {"b.txt": "\ufeffEin Öl", "a.txt": "ein Ei\n", "c.txt": ""}
    for name, text in parts.items():
        (tmp_path / name).write_bytes(text.encode())
    found = inspect_text({name: tmp_path / name for name in parts})
    assert found.arrays["text"].tobytes().decode() == "Ein Öl\nein Ei\n\n"


def test_of_several_files_the_one_that_is_no_text_is_named_and_parts_are_refused(tmp_path):
    files = written(tmp_path, b"good") | {"notes.txt": tmp_path / "notes"}
    files["notes.txt"].write_bytes(b"good\nna\xefve\n")
    with pytest.raises(UnreadableTable, match=r"line 2 of 'notes.txt'"):
        inspect_text(files)
    with pytest.raises(UnreadableTable, match="test and train") as refused:
        inspect_text({"train.txt": files["text.txt"], "test.txt": files["text.txt"]})
    assert refused.value.fault.code == "several_parts"


@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        (b"good\nna\xefve\n", "not_utf8", "line 2"),
        ("schön".encode("utf-16"), "not_utf8", "line 1"),
        (gzip.compress(b"text"), "compressed_text", "as it is"),
        (b"x" * 2000, "too_large", "1,000 bytes"),
        ("".join(map(chr, range(0x3000, 0x3000 + 20_100))).encode()[:80_000], "too_many_characters", "20,000"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_text_is_refused_and_said_where(tmp_path, data, code, said):
    limits = Limits(bytes=1000) if code == "too_large" else Limits()
    with pytest.raises(UnreadableTable) as refused:
        inspect_text(written(tmp_path, data), limits=limits)
    assert refused.value.fault.code == code
    assert said in refused.value.fault.message


@pytest.mark.parametrize(
    ("asked", "pointer"), [({"choices": [ColumnChoice(name="text")]}, "/columns"), ({"target": "text"}, "/target")]
)
def test_a_text_has_no_column_to_choose(tmp_path, asked, pointer):
    with pytest.raises(UnreadableTable) as refused:
        inspect_text(written(tmp_path, b"text"), **asked)
    assert refused.value.fault.pointer == pointer
