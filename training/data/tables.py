"""What an uploaded table holds: the type, the statistics and the values of each of its columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from api_schemas.datasets import Column, ColumnChoice, Format, Preview
from api_schemas.errors import Fault
from api_schemas.nearest import nearest
from training.data.columns import Choice, ColumnReading
from training.data.plain import MISSING
from training.data.reading import read
from training.data.refusal import Limits, UnreadableTable
from training.data.warnings import warn
from training.files import write_whole

__all__ = ["MISSING", "Inspection", "UnreadableTable", "inspect", "load_arrays", "save_arrays"]


@dataclass(frozen=True)
class Inspection:
    """A file, read."""

    rows: int
    columns: list[Column]
    """In the file's order."""
    warnings: list[Fault]
    """What will probably disturb training."""
    preview: Preview
    arrays: dict[str, np.ndarray]
    """By column: numeric as float64 with NaN where missing, category as int32 codes into its `stats.categories` with
    -1 where missing; text columns are not in here."""

    @property
    def target(self) -> str | None:
        """The column to predict, where one was named."""
        return next((column.name for column in self.columns if column.role == "target"), None)


def inspect(
    path: Path,
    format: Format,  # noqa: A002 - the contract's own word
    choices: Sequence[ColumnChoice] = (),
    target: str | None = None,
    *,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    tell: Callable[[int], None] = lambda _: None,
) -> Inspection:
    """Read a file and infer what its columns hold.

    Args:
        path: the uploaded bytes.
        format: what they claim to be.
        choices: what a person said of some columns; it wins over what is inferred.
        target: the column to predict.
        limits: what the file has to keep.
        tell: hears how many rows have been read.

    Raises:
        UnreadableTable: when the file cannot be used, or a choice does not fit it.
    """
    table = read(path, format, limits, tell)
    chosen = _match(choices, target, list(table.columns))
    columns = [ColumnReading(table, name, chosen.get(name, Choice(ColumnChoice(name=name)))) for name in table.columns]
    with ThreadPoolExecutor() as pool:  # polars and numpy count without Python's lock
        described = list(pool.map(ColumnReading.describe, columns))
    rows = len(table.row_numbers)
    return Inspection(
        rows=rows,
        columns=described,
        warnings=warn(described, rows),
        preview=_preview(columns),
        arrays={column.name: column.array for column in columns if column.array is not None},
    )


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the arrays of an inspection to one file, whole or not at all."""
    # The prefix keeps a column called __metadata__ apart from the format's own header.
    stored = {f"column/{name}": np.ascontiguousarray(array) for name, array in arrays.items()}
    write_whole(path, lambda temporary: save_file(stored, temporary))


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read back what `save_arrays` wrote."""
    return {name.removeprefix("column/"): array for name, array in load_file(path).items()}


def _match(choices: Sequence[ColumnChoice], target: str | None, names: list[str]) -> dict[str, Choice]:
    """Each choice by its column.

    Raises:
        UnreadableTable: when a column is not in the file or two are the target.
    """
    asked = [(choice.name, f"/columns/{index}/name") for index, choice in enumerate(choices)]
    for name, pointer in [*asked, *([(target, "/target")] if target else [])]:
        if name not in names:
            raise UnreadableTable("unknown_column", f"the file has no column {name!r}; {nearest(name, names)}", pointer)
    chosen = {
        choice.name: Choice(choice, f"/columns/{index}", choice.name == target) for index, choice in enumerate(choices)
    }
    if target and target not in chosen:
        chosen[target] = Choice(ColumnChoice(name=target), "/target", is_target=True)
    targets = [choice for choice in chosen.values() if choice.role == "target"]
    if len(targets) > 1:
        both = " and ".join(repr(choice.said.name) for choice in targets[:2])
        said = [choice for choice in targets if choice.said.role == "target"]
        raise UnreadableTable("two_targets", f"{both} are both the target; choose one", f"{said[-1].pointer}/role")
    return chosen


def _preview(columns: list[ColumnReading]) -> Preview:
    shown = [column.shown.to_list() for column in columns]
    return Preview(columns=[column.name for column in columns], rows=[list(row) for row in zip(*shown, strict=True)])
