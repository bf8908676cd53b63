"""What an uploaded text holds."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from api_schemas.datasets import Column, ColumnChoice, ColumnStats, Preview
from training.data.refusal import Limits, UnreadableTable
from training.data.tables import Inspection

LARGEST_TEXT = 100_000_000
"""In bytes; a run holds eight times as much, as tokens."""
MOST_CHARACTERS = 20_000
"""Different ones; all of them stand in the dataset's statistics."""
_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")
_COLUMN = "text"
_PREVIEW_LINES = 20
_SHOWN_CHARACTERS = 200


def read_text_file(path: Path | str) -> bytes:
    """The text of a file in UTF-8, without the mark that some editors begin it with."""
    return Path(path).read_bytes().removeprefix(codecs.BOM_UTF8)


def inspect_text(
    path: Path, choices: Sequence[ColumnChoice] = (), target: str | None = None, *, limits: Limits | None = None
) -> Inspection:
    """Read a text and count its characters.

    Args:
        path: the uploaded bytes.
        choices: what a person said of its columns; it has but one, of which there is nothing to say.
        target: the column to predict; a text has none.
        limits: what the file has to keep.

    Returns:
        As many rows as characters, one column, and its bytes as the array `text`.

    Raises:
        UnreadableTable: when the file is no UTF-8 or too large, or a column was chosen.
    """
    _refuse_choices(choices, target)
    text = _read(path, limits or Limits())
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
    lines = text[: _PREVIEW_LINES * _SHOWN_CHARACTERS].splitlines()[:_PREVIEW_LINES]
    return Inspection(
        rows=len(text),
        columns=[Column(name=_COLUMN, type="tokens", role="feature", stats=stats)],
        warnings=[],
        preview=Preview(columns=[_COLUMN], rows=[[line[:_SHOWN_CHARACTERS]] for line in lines]),
        arrays={_COLUMN: np.frombuffer(text.encode(), np.uint8)},
    )


def _refuse_choices(choices: Sequence[ColumnChoice], target: str | None) -> None:
    if choices or target:
        pointer = "/target" if target else "/columns"
        message = "a text has no columns to choose from, and its target is the next token; leave it out"
        raise UnreadableTable("no_columns", message, pointer)


def _read(path: Path, limits: Limits) -> str:
    size = path.stat().st_size
    if size > min(LARGEST_TEXT, limits.bytes):
        message = f"a text has at most {min(LARGEST_TEXT, limits.bytes):,} bytes, and this one {size:,}; upload a part"
        raise UnreadableTable("too_large", message)
    data = read_text_file(path)
    if data.startswith(_COMPRESSED):
        raise UnreadableTable("compressed_text", "the text is compressed; upload it as it is")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UnreadableTable("not_utf8", f"line {line} is not UTF-8; save the file as UTF-8") from error
