"""How wide the columns of a table are once they are encoded, and which of them a network embeds."""

from __future__ import annotations

from collections.abc import Sequence

from api_schemas.catalog.preprocessing import Embedding, EncodingEntry, OneHot, Ordinal
from api_schemas.datasets import Column, Encode
from api_schemas.jobs import PreprocessingSpec

_USUAL: dict[Encode, EncodingEntry] = {"onehot": OneHot(), "embedding": Embedding(), "ordinal": Ordinal()}


def encoding_of(column: Column, preprocessing: PreprocessingSpec) -> EncodingEntry:
    """How a column of categories is encoded: as the column says, else as the job does."""
    asked = preprocessing.categorical
    return asked if column.encode is None or column.encode == asked.name else _USUAL[column.encode]


def inputs_of(column: Column, preprocessing: PreprocessingSpec) -> int:
    """How many inputs of a network a column becomes."""
    categories = len(column.stats.categories)
    width = encoding_of(column, preprocessing).inputs(categories) if column.type == "category" else column.width
    return width + (column.missing == "indicator")


def embedded_values(columns: Sequence[Column], preprocessing: PreprocessingSpec) -> dict[int, int]:
    """How many codes each embedded column has, by its place among the inputs: its categories and one for all others."""
    found: dict[int, int] = {}
    place = 0
    for column in columns:
        if column.type == "category" and isinstance(encoding_of(column, preprocessing), Embedding):
            found[place] = len(column.stats.categories) + 1
        place += inputs_of(column, preprocessing)
    return found


def embedding_width(preprocessing: PreprocessingSpec) -> int | None:
    """How many numbers the job has a network learn of each category; None for as many as is usual."""
    asked = preprocessing.categorical
    return asked.width if isinstance(asked, Embedding) else None
