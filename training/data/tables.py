"""What an uploaded table holds: the type, the statistics and the values of each of its columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import polars as pl
from safetensors.numpy import save_file

from api_schemas.datasets import Column, ColumnChoice, Format, Preview, Role
from api_schemas.errors import Fault
from api_schemas.nearest import nearest
from training.data.array_column import ArrayReading
from training.data.array_files import read_safetensors
from training.data.columns import Choice, ColumnReading
from training.data.leakage import leakage_suspects
from training.data.plain import MISSING
from training.data.raw import RawTable
from training.data.reading import read
from training.data.refusal import Limits, UnreadableTable
from training.data.warnings import warn
from training.files import write_whole

__all__ = ["MISSING", "Inspection", "Keep", "UnreadableTable", "describe", "inspect", "load_arrays", "save_arrays"]

Keep: TypeAlias = Callable[[Mapping[str, np.ndarray]], object]
"""Is given the arrays of an inspection as soon as they are known, and writes them while the columns are described."""

Reading: TypeAlias = ColumnReading | ArrayReading


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
    -1 where missing, arrays flat (rows, width); text columns are not in here."""

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
    keep: Keep = lambda _: None,
) -> Inspection:
    """Read a file and infer what its columns hold.

    Args:
        path: the uploaded bytes.
        format: what they claim to be.
        choices: what a person said of some columns; it wins over what is inferred.
        target: the column to predict.
        limits: what the file has to keep.
        tell: hears how many rows have been read.
        keep: what becomes of the arrays.

    Raises:
        UnreadableTable: when the file cannot be used, or a choice does not fit it.
    """
    return describe(read(path, format, limits, tell), choices, target, keep)


def describe(
    table: RawTable, choices: Sequence[ColumnChoice] = (), target: str | None = None, keep: Keep = lambda _: None
) -> Inspection:
    """Infer what the columns of a table hold; arguments and errors as of `inspect`."""
    names = [*table.arrays, *table.columns]
    chosen = _match(choices, target, names)
    said = _with_roles(chosen, table.roles)

    def look(name: str) -> tuple[Reading, np.ndarray | None, pl.Series]:
        reading = _reading(table, name, said.get(name, Choice(ColumnChoice(name=name))))
        return reading, reading.array, reading.shown

    with ThreadPoolExecutor() as pool:  # polars and numpy work without Python's lock
        readings, found, shown = zip(*pool.map(look, names), strict=True)
        arrays = {name: array for name, array in zip(names, found, strict=True) if array is not None}
        kept = pool.submit(keep, arrays)
        described = [*pool.map(_described, readings)]
        kept.result()
    rows = len(table.row_numbers)
    return Inspection(
        rows=rows,
        columns=described,
        warnings=[*table.warnings, *warn(described, rows), *leakage_suspects(described, arrays)],
        preview=Preview(columns=names, rows=_rows(shown)),
        arrays=arrays,
    )


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the arrays of an inspection to one file, whole or not at all."""
    # The prefix keeps a column called __metadata__ apart from the format's own header.
    stored = {f"column/{name}": np.ascontiguousarray(array) for name, array in arrays.items()}
    write_whole(path, lambda temporary: save_file(stored, temporary))


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """What `save_arrays` wrote, mapped into memory: a page is read when it is used."""
    return {name.removeprefix("column/"): array for name, array in read_safetensors(path).items()}


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


def _with_roles(chosen: Mapping[str, Choice], roles: Mapping[str, Role]) -> dict[str, Choice]:
    """The choices, completed by what the file says; its target is none where a person named another."""
    other = any(choice.role == "target" for choice in chosen.values())
    completed = dict(chosen)
    for name, role in roles.items():
        choice = chosen.get(name, Choice(ColumnChoice(name=name)))
        if choice.role is None and not (role == "target" and other):
            completed[name] = replace(choice, said=choice.said.model_copy(update={"role": role}))
    return completed


def _reading(table: RawTable, name: str, choice: Choice) -> Reading:
    return (
        ArrayReading(name, table.arrays[name], choice) if name in table.arrays else ColumnReading(table, name, choice)
    )


def _described(reading: Reading) -> Column:
    return reading.describe()


def _rows(columns: Sequence[pl.Series]) -> list[list[float | str | None]]:
    return [list(row) for row in zip(*(column.to_list() for column in columns), strict=True)]
