"""What uploaded texts hold."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from api_schemas.datasets import Column, ColumnChoice, ColumnStats, Preview
from api_schemas.splits import file_part
from training.data.refusal import Limits, UnreadableTable
from training.data.tables import Inspection, Keep

LARGEST_TEXT = 100_000_000
"""In bytes; a run holds eight times as much, as tokens."""
MOST_CHARACTERS = 20_000
"""Different ones; all of them stand in the dataset's statistics."""
_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")
_COLUMN = "text"
_PREVIEW_LINES = 20
_SHOWN_CHARACTERS = 200


def read_texts(paths: Sequence[Path | str]) -> bytes:
    """The texts of files in UTF-8, a line feed between two, without the mark that some editors begin a file with."""
    return b"\n".join(Path(path).read_bytes().removeprefix(codecs.BOM_UTF8) for path in paths)


def inspect_text(
    files: Mapping[str, Path],
    choices: Sequence[ColumnChoice] = (),
    target: str | None = None,
    *,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    keep: Keep = lambda _: None,
) -> Inspection:
    """Read files as one text, one after the other, and count its characters.

    Args:
        files: where each lies, by what it was called.
        choices: what a person said of its columns; it has but one, of which there is nothing to say.
        target: the column to predict; a text has none.
        limits: what the files have to keep together.
        keep: what becomes of the bytes.

    Returns:
        As many rows as characters, one column, and its bytes as the array `text`.

    Raises:
        UnreadableTable: when a file is no UTF-8, the text is too large, or a column was chosen.
    """
    _refuse_choices(choices, target)
    _refuse_parts(list(files))
    text = _read(files, limits)
    counts = Counter(text)
    if len(counts) > MOST_CHARACTERS:
        message = f"{len(counts):,} different characters are no text; at most {MOST_CHARACTERS:,} are read"
        raise UnreadableTable("too_many_characters", message)
    stats = ColumnStats(
        missing=0,
        distinct=len(counts),
        example=text[:_SHOWN_CHARACTERS],
        categories=sorted(counts),
        counts=[counts[character] for character in sorted(counts)],
    )
    arrays = {_COLUMN: np.frombuffer(text.encode(), np.uint8)}
    keep(arrays)
    lines = text[: _PREVIEW_LINES * _SHOWN_CHARACTERS].splitlines()[:_PREVIEW_LINES]
    return Inspection(
        rows=len(text),
        columns=[Column(name=_COLUMN, type="tokens", role="feature", stats=stats)],
        warnings=[],
        preview=Preview(columns=[_COLUMN], rows=[[line[:_SHOWN_CHARACTERS]] for line in lines]),
        arrays=arrays,
    )


def _refuse_choices(choices: Sequence[ColumnChoice], target: str | None) -> None:
    if choices or target:
        pointer = "/target" if target else "/columns"
        message = "a text has no columns to choose from, and its target is the next token; leave it out"
        raise UnreadableTable("no_columns", message, pointer)


def _refuse_parts(names: Sequence[str]) -> None:
    """Refuse files of which some are for training and some for judging: what of a text judges is told by its place."""
    parts = {file_part(name) or "train" for name in names}
    if len(parts) > 1:
        message = (
            f"the names say {' and '.join(sorted(parts))}, and a text is split by place: its beginning trains, its end "
            "judges; put all into one file in that order, and the share of each part into the job's `split`"
        )
        raise UnreadableTable("several_parts", message)


def _read(files: Mapping[str, Path], limits: Limits) -> str:
    size, most = sum(path.stat().st_size for path in files.values()), min(LARGEST_TEXT, limits.bytes)
    if size > most:
        message = f"a text has at most {most:,} bytes, and this one {size:,}; upload a part"
        raise UnreadableTable("too_large", message)
    for name, path in files.items():
        _refuse_no_text(name, read_texts([path]))
    return read_texts(list(files.values())).decode()


def _refuse_no_text(name: str, data: bytes) -> None:
    if data.startswith(_COMPRESSED):
        raise UnreadableTable("compressed_text", f"{name!r} is compressed; upload it as it is")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UnreadableTable("not_utf8", f"line {line} of {name!r} is not UTF-8; save the file as UTF-8") from error
