"""The arithmetic of jobs on text."""

from __future__ import annotations

from api_schemas.catalog.tokenizers import Text
from api_schemas.datasets import Dataset, Upload
from api_schemas.jobs import JobSpec


def text_of(spec: JobSpec, dataset: Dataset | None) -> Text | None:
    """What the job's dataset is as text; None where it is a table.

    Args:
        spec: as the client sent it, or settled.
        dataset: the upload that it names; None for a dataset named by name.
    """
    if not isinstance(spec.dataset, Upload):
        return spec.dataset.text
    if dataset is None or dataset.format != "text":
        return None
    stats = dataset.columns[0].stats
    size = sum(len(character.encode()) * count for character, count in zip(stats.categories, stats.counts, strict=True))
    return Text(size, "".join(stats.categories))


def windows_in(size: int, context: int) -> int:
    """How many windows a part of a text makes, and so how many rows it has.

    As many as would follow each other without overlap if every byte were a token; longer tokens overlap.

    Args:
        size: of the part, in bytes.
        context: tokens that a window shows, followed by one more that is to be guessed.
    """
    return max(0, size - 1) // context
