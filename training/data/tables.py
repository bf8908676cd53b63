"""What an uploaded table holds: the type, the statistics and the values of each of its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from safetensors.numpy import load_file, save_file

from api_schemas.datasets import Column, ColumnChoice, ColumnStats, ColumnType, Format, Preview, Role
from api_schemas.errors import Fault
from api_schemas.plan import MAX_CLASSES, nearest
from training.data.reading import Cells, UnreadableTable, read
from training.data.warnings import warn
from training.files import write_whole

__all__ = ["Inspection", "UnreadableTable", "inspect", "load_arrays", "save_arrays"]

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?")
"""How files write that there is no value."""
_PREVIEW_ROWS = 20
_MISSING_ROWS = 10
_SHOWN_CHARACTERS = 200
_SMALL = 20
_WHOLE_LIMIT = 2.0**53
"""Beyond it a float64 no longer tells neighbouring whole numbers apart."""


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
) -> Inspection:
    """Read a file and infer what its columns hold.

    Args:
        path: the uploaded bytes.
        format: what they claim to be.
        choices: what a person said of some columns; it wins over what is inferred.
        target: the column to predict.

    Raises:
        UnreadableTable: when the file cannot be used, or a choice does not fit it.
    """
    cells = read(path, format)
    chosen = _match(choices, target, list(cells.columns))
    columns = [_Values(cells, name, chosen.get(name, _Choice(ColumnChoice(name=name)))) for name in cells.columns]
    described = [values.describe() for values in columns]
    rows = len(cells.row_numbers)
    return Inspection(
        rows=rows,
        columns=described,
        warnings=warn(described, rows),
        preview=_preview(columns),
        arrays={values.name: values.array for values in columns if values.type != "text"},
    )


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the arrays of an inspection to one file, whole or not at all."""
    # The prefix keeps a column called __metadata__ apart from the format's own header.
    stored = {f"column/{name}": np.ascontiguousarray(array) for name, array in arrays.items()}
    write_whole(path, lambda temporary: save_file(stored, temporary))


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read back what `save_arrays` wrote."""
    return {name.removeprefix("column/"): array for name, array in load_file(path).items()}


@dataclass(frozen=True)
class _Choice:
    """What a person said of one column, and where in the request."""

    said: ColumnChoice
    pointer: str = "/columns"
    is_target: bool = False

    @property
    def role(self) -> Role | None:
        return "target" if self.is_target else self.said.role


def _match(choices: Sequence[ColumnChoice], target: str | None, names: list[str]) -> dict[str, _Choice]:
    """Each choice by its column.

    Raises:
        UnreadableTable: when a column is not in the file or two are the target.
    """
    asked = [(choice.name, f"/columns/{index}/name") for index, choice in enumerate(choices)]
    for name, pointer in [*asked, *([(target, "/target")] if target else [])]:
        if name not in names:
            raise UnreadableTable("unknown_column", f"the file has no column {name!r}; {nearest(name, names)}", pointer)
    chosen = {
        choice.name: _Choice(choice, f"/columns/{index}", choice.name == target) for index, choice in enumerate(choices)
    }
    if target and target not in chosen:
        chosen[target] = _Choice(ColumnChoice(name=target), "/target", is_target=True)
    targets = [choice for choice in chosen.values() if choice.role == "target"]
    if len(targets) > 1:
        both = " and ".join(repr(choice.said.name) for choice in targets[:2])
        said = [choice for choice in targets if choice.said.role == "target"]
        raise UnreadableTable("two_targets", f"{both} are both the target; choose one", f"{said[-1].pointer}/role")
    return chosen


class _Values:
    """One column on its way from text to numbers."""

    def __init__(self, cells: Cells, name: str, choice: _Choice) -> None:
        self.name = name
        self._choice = choice
        self._row_numbers = cells.row_numbers
        raw = cells.columns[name]
        self.text = raw.set(raw.is_in(MISSING), None)
        plain = self.text.str.replace(",", ".", literal=True) if cells.decimal_comma else self.text
        self.numbers = plain.cast(pl.Float64, strict=False)
        self.type: ColumnType = self._type()

    def describe(self) -> Column:
        """The column as the dataset will show it."""
        said, role = self._choice.said, self._choice.role
        if said.missing in ("mean", "median") and self.type == "category":
            raise UnreadableTable(
                "not_numeric",
                f"column {self.name!r} holds categories, which have no {said.missing}; use most_frequent",
                f"{self._choice.pointer}/missing",
            )
        return Column(
            name=self.name,
            type=self.type,
            role=role or ("ignore" if self.type == "text" else "feature"),
            missing=said.missing or "error",
            stats=self._stats(),
        )

    @cached_property
    def array(self) -> np.ndarray:
        """The values as numbers: float64 with NaN, or int32 codes with -1."""
        return self._codes if self.type == "category" else self.numbers.fill_null(float("nan")).to_numpy()

    @cached_property
    def _present(self) -> int:
        return len(self.text) - self.text.null_count()

    @cached_property
    def _wrong(self) -> pl.Series:
        """Where there is a value that is no number."""
        return self.text.is_not_null() & self.numbers.is_null()

    @cached_property
    def _whole(self) -> bool:
        """Whether every value is a whole number that float64 holds exactly."""
        if self._wrong.any() or not self._present:
            return False
        return bool(((self.numbers == self.numbers.round()) & (self.numbers.abs() < _WHOLE_LIMIT)).all())

    @cached_property
    def _labels(self) -> pl.Series:
        """The values as category names: 3, 3.0 and 03 are one."""
        return self.numbers.cast(pl.Int64).cast(pl.String) if self._whole else self.text

    @cached_property
    def _distinct(self) -> int:
        values = self._labels if self.type == "category" else (self.text if self._wrong.any() else self.numbers)
        return values.drop_nulls().n_unique()

    @cached_property
    def _categories(self) -> list[str]:
        countable = self.type == "category" or (self.type == "numeric" and self._whole)
        if not countable or self._distinct > MAX_CLASSES:
            return []
        return sorted(self._labels.drop_nulls().unique().to_list(), key=float if self._whole else str)

    @cached_property
    def _codes(self) -> np.ndarray:
        codes = self._labels.cast(pl.Enum(self._categories)).to_physical().cast(pl.Int32)
        return codes.fill_null(-1).to_numpy()

    def _first(self, mask: pl.Series) -> str:
        """The first marked value and its row, as people say it."""
        place = mask.arg_max() or 0
        return f"{str(self.text[place])[:_SHOWN_CHARACTERS]!r} in row {self._row_numbers[place]}"

    def _type(self) -> ColumnType:
        asked = self._choice.said.type
        found = asked or self._inferred_type()
        if found == "numeric":
            self._refuse_no_numbers()
        elif asked == "category" and (distinct := self._labels.drop_nulls().n_unique()) > MAX_CLASSES:
            raise UnreadableTable(
                "too_many_categories",
                f"column {self.name!r} has {distinct} different values, more than the {MAX_CLASSES} that can be "
                "categories; set its role to ignore",
                f"{self._choice.pointer}/type",
            )
        return found

    def _inferred_type(self) -> ColumnType:
        if not self._present:
            return "text"
        if not self._wrong.any():
            return "numeric"
        distinct = self.text.drop_nulls().n_unique()
        few = distinct <= max(_SMALL, 0.9 * self._present) or self._choice.role == "target"
        return "category" if few and distinct <= MAX_CLASSES else "text"

    def _refuse_no_numbers(self) -> None:
        if self._wrong.any():
            raise UnreadableTable(
                "not_numeric",
                f"column {self.name!r} holds text ({self._first(self._wrong)}); correct the file, or read the column "
                "as category",
                f"{self._choice.pointer}/type",
            )
        infinite = ~self.numbers.fill_null(0.0).is_finite()
        if infinite.any():
            raise UnreadableTable(
                "not_finite",
                f"column {self.name!r} holds {self._first(infinite)}, which is no finite number; correct it, or leave "
                "it empty and say what to fill in",
            )

    def _stats(self) -> ColumnStats:
        missing = self.text.is_null()
        counts = np.bincount(self._codes[self._codes >= 0], minlength=len(self._categories)) if self._categories else []
        example = self.text.drop_nulls().head(1).to_list()
        return ColumnStats(
            missing=int(missing.sum()),
            missing_rows=self._row_numbers.filter(missing).head(_MISSING_ROWS).to_list(),
            distinct=self._distinct,
            **(self._moments() if self.type == "numeric" and self._present else {}),
            integral=self.type == "numeric" and self._whole,
            example=example[0][:_SHOWN_CHARACTERS] if example else None,
            categories=self._categories,
            counts=[int(count) for count in counts],
            not_numeric=self._first(self._wrong) if self._wrong.any() else None,
        )

    def _moments(self) -> dict[str, float | None]:
        values = self.numbers.drop_nulls().to_numpy()
        with np.errstate(over="ignore", invalid="ignore"):
            found = {"minimum": values.min(), "maximum": values.max(), "mean": values.mean(), "std": values.std()}
        return {name: float(value) if np.isfinite(value) else None for name, value in found.items()}


def _preview(columns: list[_Values]) -> Preview:
    shown = [
        (values.numbers if values.type == "numeric" else values.text.str.slice(0, _SHOWN_CHARACTERS))
        .head(_PREVIEW_ROWS)
        .to_list()
        for values in columns
    ]
    return Preview(columns=[values.name for values in columns], rows=[list(row) for row in zip(*shown, strict=True)])
