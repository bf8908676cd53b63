"""Several files that are one table: their columns agree, and their names may say which rows train and which judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from api_schemas.datasets import ColumnChoice, Format
from api_schemas.splits import PARTS, file_part
from training.data.plain import joined
from training.data.raw import RawTable
from training.data.reading import read
from training.data.refusal import Limits, UnreadableTable
from training.data.tables import Inspection, Keep, describe

_SPLIT = "split"


def inspect_tables(
    files: Mapping[str, Path],
    format: Format,  # noqa: A002 - the contract's own word
    choices: Sequence[ColumnChoice] = (),
    target: str | None = None,
    *,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    tell: Callable[[int], None] = lambda _: None,
    keep: Keep = lambda _: None,
) -> Inspection:
    """Read files of the same columns as one table, row after row in the order of the files.

    Files without a row, as Spark writes them, are passed over where others have some. Where their names say so, as in
    `train.csv` and `test.csv`, a column `split` holds the part of each row.

    Args:
        files: where each lies, by what it was called.
        format: what they claim to be.
        choices: what a person said of some columns; it wins over what is inferred.
        target: the column to predict.
        limits: what the files have to keep together.
        tell: hears how many rows have been read.
        keep: what becomes of the arrays.

    Raises:
        UnreadableTable: when one cannot be used, columns do not agree, or a choice does not fit them.
    """
    if len(files) == 1:
        return describe(read(next(iter(files.values())), format, limits, tell), choices, target, keep)
    return describe(_joined(_read(files, format, limits, tell)), choices, target, keep)


def _read(
    files: Mapping[str, Path],
    format_: Format,
    limits: Limits,
    tell: Callable[[int], None],
) -> dict[str, RawTable]:
    """The tables by their files' names, but for those without rows.

    Raises:
        UnreadableTable: as `inspect_tables`, and when none has rows.
    """
    tables = dict[str, RawTable]()
    rows, empty = 0, None
    for name, path in files.items():
        left = replace(limits, rows=limits.rows - rows)
        try:
            tables[name] = read(path, format_, left, lambda count, before=rows: tell(before + count))
        except UnreadableTable as error:
            if error.fault.code != "no_rows":
                raise
            empty = error
        else:
            rows += len(tables[name].row_numbers)
    if empty and not tables:
        raise empty
    return tables


def _joined(tables: Mapping[str, RawTable]) -> RawTable:
    (first_name, first), *others = tables.items()
    for name, table in others:
        _check_agreement(first_name, first, name, table)
    parts = _parts(tables)
    return RawTable(
        joined([_typed(first, table) for table in tables.values()], parts),
        pl.concat([table.row_numbers for table in tables.values()]),
        first.decimal_comma,
        roles={_SPLIT: "split"} if parts else {},
    )


def _check_agreement(first_name: str, first: RawTable, name: str, table: RawTable) -> None:
    missing = [column for column in first.columns if column not in table.columns]
    added = [column for column in table.columns if column not in first.columns]
    if missing or added:
        what = (
            f"has no column {missing[0]!r}, which {first_name!r} has" if missing else f"has a column {added[0]!r} more"
        )
        _refuse(f"{name!r} {what}; give all files the same columns")
    if first.decimal_comma != table.decimal_comma:
        _refuse(f"{first_name!r} and {name!r} have other separators; write all files alike")
    for column, cells in table.columns.items():
        known = first.columns[column]
        if known.dtype != cells.dtype and known.count() and cells.count():
            _refuse(f"column {column!r} holds numbers in one of {first_name!r} and {name!r} and text in the other")


def _typed(first: RawTable, table: RawTable) -> dict[str, pl.Series]:
    """The columns of a table, those without a value in the type that they have elsewhere."""
    return {
        name: cells if cells.count() else cells.cast(first.columns[name].dtype) for name, cells in table.columns.items()
    }


def _parts(tables: Mapping[str, RawTable]) -> list[str]:
    """The part that each file holds by its name; none where no name says one."""
    parts = {name: file_part(name) for name in tables}
    if not any(parts.values()):
        return []
    for name, part in parts.items():
        if part is None:
            _refuse(f"the name {name!r} says no part, as others do; put {', '.join(PARTS[:-1])} or {PARTS[-1]} into it")
        if _SPLIT in tables[name].columns:
            _refuse(f"{name!r} has a column {_SPLIT!r} already, and its name says a part; rename one of them")
    return [part for part in parts.values() if part]


def _refuse(message: str) -> None:
    raise UnreadableTable("files_disagree", message)
