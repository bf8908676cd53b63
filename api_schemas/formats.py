"""Which files can be datasets, told by how their names end."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Literal

from api_schemas.base import Reply
from api_schemas.datasets import Format
from api_schemas.errors import InvalidRequest

COMPRESSIONS = (".gz", ".zst")
"""May stand behind every other ending."""

_MNIST = re.compile(r"[.-]idx\d-u?byte$")
"""How the files of MNIST and its kin end, as in train-images-idx3-ubyte."""


class FileFormat(Reply):
    """A kind of file that can be a dataset."""

    object: Literal["format"] = "format"
    name: Format
    summary: str
    """What such a file holds."""
    endings: list[str]
    """How the names of such files end; `.gz` or `.zst` may stand behind."""


FORMATS = (
    FileFormat(name="csv", summary="a table, one line a row", endings=[".csv"]),
    FileFormat(name="tsv", summary="a table with tabs between its cells", endings=[".tsv", ".tab"]),
    FileFormat(name="parquet", summary="a table as Parquet", endings=[".parquet"]),
    FileFormat(name="feather", summary="a table as Arrow IPC", endings=[".feather", ".arrow"]),
    FileFormat(name="jsonl", summary="a table, one JSON object a row", endings=[".jsonl", ".ndjson"]),
    FileFormat(name="npz", summary="arrays of NumPy", endings=[".npz"]),
    FileFormat(name="safetensors", summary="arrays by name", endings=[".safetensors"]),
    FileFormat(name="idx", summary="an array as MNIST has it", endings=[".idx", "-idx3-ubyte"]),
    FileFormat(name="images", summary="images, one folder a class", endings=[".zip"]),
    FileFormat(name="text", summary="text for a language model", endings=[".txt", ".md"]),
)

_BY_ENDING: dict[str, Format] = {ending: format_.name for format_ in FORMATS for ending in format_.endings}


def endings() -> str:
    """All endings, for people."""
    return f"{', '.join(_BY_ENDING)}, each also with {' or '.join(COMPRESSIONS)} behind it"


def is_marker(filename: str) -> bool:
    """Whether a file says something of those beside it and holds no data: `_SUCCESS` and checksums, as Spark has."""
    return PurePath(filename).name.startswith(("_", "."))


def format_of(filenames: list[str]) -> Format:
    """What all files are, by their names.

    Raises:
        InvalidRequest: a name does not tell, or they differ.
    """
    formats: dict[Format, str] = {_format(name): name for name in filenames}
    if len(formats) > 1:
        kinds = " and ".join(f"{name!r} is {format_}" for format_, name in formats.items())
        raise InvalidRequest.at("/file", "several_formats", f"the files of a dataset are of one kind, and {kinds}")
    return next(iter(formats))


def _format(filename: str) -> Format:
    path = PurePath(filename.lower())
    path = path.with_suffix("") if path.suffix in COMPRESSIONS else path
    suffix = ".idx" if _MNIST.search(path.name) else path.suffix
    if suffix not in _BY_ENDING:
        message = f"the name {filename[:100]!r} does not tell what the file is; known endings: {endings()}"
        raise InvalidRequest.at("/file", "unknown_format", message)
    return _BY_ENDING[suffix]
