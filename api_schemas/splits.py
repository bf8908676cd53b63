"""Which rows train and which judge, as far as it is known before a row is read: what fits, and how many they are."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from api_schemas.datasets import Column, PartName, Role, Split, SplitMethod
from api_schemas.errors import InvalidRequest
from api_schemas.nearest import nearest

PARTS: tuple[PartName, ...] = ("train", "validation", "test")
_SPELLINGS: dict[str, PartName] = {
    **dict.fromkeys(("train", "training", "fit"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "development"), "validation"),
    **dict.fromkeys(("test", "testing", "holdout"), "test"),
}
_ROLES: dict[str, Role] = {"grouped": "group", "column": "split"}
"""The role of the column that a method goes by."""


def file_part(name: str) -> PartName | None:
    """Which part a file holds by a word of its name, as in `test.csv` or `faces-train.csv`; None where none tells."""
    words = re.findall(r"[a-z]+", PurePath(name).name.lower())
    return next((_SPELLINGS[word] for word in words if word in _SPELLINGS), None)


def split_sizes(rows: int, validation: float, test: float) -> tuple[int, int, int]:
    """Rows that train, validate and test; a share above 0 gets at least one row."""
    held = [max(1, math.floor(rows * share + 0.5)) if share else 0 for share in (validation, test)]
    return rows - sum(held), held[0], held[1]


def deal_groups(sizes: Sequence[int], validation: float, test: float, seed: int) -> list[int]:
    """Deal out whole groups by chance, so that each part comes near its share of the rows.

    Groups are drawn one after the other. Validation takes one where that brings it nearer to its share, else test does
    by the same rule, else it trains. A part that wants rows and would have none gets the smallest that trains.

    Args:
        sizes: rows of each group.
        validation: share of the rows that judge during training.
        test: share of the rows that judge at the end.
        seed: the same seed deals the same; which groups of one size go where is its choice too.

    Returns:
        The part of each group: 0 trains, 1 validates, 2 tests.
    """
    wanted = [0, *split_sizes(sum(sizes), validation, test)[1:]]
    drawn = random.Random(seed)  # noqa: S311 - no secret; of one seed the same numbers in every version of Python
    order = sorted(range(len(sizes)), key=[drawn.random() for _ in sizes].__getitem__)
    parts = [0] * len(sizes)
    missing = list(wanted)
    for group in order:
        if max(missing[1:]) <= 0:
            break  # the others train
        part = next((part for part in (1, 2) if missing[part] > 0 and 2 * missing[part] >= sizes[group]), 0)
        parts[group] = part
        missing[part] -= sizes[group]
    for part in (1, 2):
        if wanted[part] and part not in parts and 0 in parts:
            training = [group for group in order if parts[group] == 0]
            parts[min(training, key=sizes.__getitem__)] = part
    return parts


def settle_split(split: Split, columns: Sequence[Column], classes: int, *, text: bool = False) -> Split:
    """The split with its method and its column filled in.

    Args:
        split: as the client sent it.
        columns: of the upload; none where the dataset has none of its own.
        classes: how many the target holds; 0 where it holds numbers.
        text: whether the rows are windows of text.

    Raises:
        InvalidRequest: with a pointer to what does not fit the columns or the target.
    """
    method = split.method or _usual_method({column.role for column in columns}, classes, text=text)
    if text and method != "time":
        message = "text is split by time: its beginning trains, its end judges; leave method out"
        raise InvalidRequest.at("/split/method", "wrong_task", message)
    if method == "stratified" and not classes:
        raise InvalidRequest.at("/split/method", "wrong_task", "numbers cannot be stratified; use 'random'")
    if split.parts and method != "column":
        raise InvalidRequest.at("/split/parts", "unused", "only the method 'column' goes by names of parts")
    if split.column and method not in ("column", "grouped", "time"):
        raise InvalidRequest.at("/split/column", "unused", f"the method {method!r} goes by no column; leave it out")
    column = _column_of(method, split.column, columns)
    if column:
        _refuse_missing(column)
        _refuse_unfit(method, column, split.parts)
    return split.model_copy(update={"method": method, "column": column.name if column else None})


def part_rows(split: Split, columns: Sequence[Column], rows: int) -> tuple[int, int, int]:
    """Rows that train, validate and test.

    Args:
        split: as `settle_split` settled it.
        columns: of the upload; none where the dataset has none of its own.
        rows: how many there are.
    """
    column = next((column for column in columns if column.name == split.column), None)
    if column is None or split.method == "time":
        return split_sizes(rows, split.validation, split.test)
    if split.method == "column":
        return _given_sizes(split, column)
    sizes = [int(size) for size, count in column.stats.group_sizes.items() for _ in range(count)]
    parts = deal_groups(sorted(sizes, reverse=True), split.validation, split.test, split.seed)
    train, validation, test = (
        sum(size for size, of in zip(sorted(sizes, reverse=True), parts, strict=True) if of == part)
        for part in range(3)
    )
    return train, validation, test


def named_parts(values: Sequence[str], names: Mapping[str, PartName]) -> list[int | None]:
    """The part that each value of a column stands for: 0 trains, 1 validates, 2 tests; None where it is unknown.

    Args:
        values: different values of the column.
        names: what a person says of some; the others are read as English has them.
    """
    found = [names.get(value) or _SPELLINGS.get(value.lower()) for value in values]
    return [None if part is None else PARTS.index(part) for part in found]


def _usual_method(roles: set[Role], classes: int, *, text: bool) -> SplitMethod:
    if text:
        return "time"
    if "split" in roles:
        return "column"
    if "group" in roles:
        return "grouped"
    return "stratified" if classes else "random"


def _given_sizes(split: Split, column: Column) -> tuple[int, int, int]:
    parts = named_parts(column.stats.categories, split.parts)
    counted = zip(parts, column.stats.counts, strict=True)
    given = list(counted)
    train, validation, test = (sum(count for of, count in given if of == part) for part in range(3))
    if not validation:
        train, validation, _ = split_sizes(train, split.validation, 0.0)
    return train, validation, test


def _column_of(method: str, name: str | None, columns: Sequence[Column]) -> Column | None:
    """The column that a method goes by.

    Raises:
        InvalidRequest: when there is none, or several.
    """
    role = _ROLES.get(method)
    if name is None and role is None:
        return None
    fitting = [column for column in columns if role is None or column.role == role]
    if name is not None:
        fitting = [column for column in fitting if column.name == name]
    if len(fitting) == 1:
        return fitting[0]
    if name is not None and name not in [column.name for column in columns]:
        message = f"the dataset has no column {name!r}; {nearest(name, [column.name for column in columns])}"
        raise InvalidRequest.at("/split/column", "unknown_column", message)
    if fitting:
        message = f"{len(fitting)} columns have the role {role!r}; name the one to go by in split.column"
        raise InvalidRequest.at("/split/column", "ambiguous", message)
    message = f"{method!r} goes by a column with the role {role!r}; give one that role with PATCH /v1/datasets"
    raise InvalidRequest.at("/split/column" if name else "/split/method", "no_column", message)


def _refuse_missing(column: Column) -> None:
    if column.stats.missing:
        rows = ", ".join(str(row) for row in column.stats.missing_rows)
        message = f"column {column.name!r} has {column.stats.missing} missing values (rows {rows}); complete the file"
        raise InvalidRequest.at("/split/column", "missing_values", message)


def _refuse_unfit(method: str, column: Column, names: Mapping[str, PartName]) -> None:
    if method == "time" and column.type != "numeric":
        message = (
            f"column {column.name!r} holds {column.type}, which has no order in time; name one of numbers or dates"
        )
        raise InvalidRequest.at("/split/column", "not_numeric", message)
    if method == "grouped" and not column.stats.group_sizes:
        message = f"the groups of column {column.name!r} have not been counted; set its role again with PATCH"
        raise InvalidRequest.at("/split/column", "no_groups", message)
    if method == "column":
        _refuse_unknown_parts(column, names)


def _refuse_unknown_parts(column: Column, names: Mapping[str, PartName]) -> None:
    values = column.stats.categories
    if not values:
        message = f"column {column.name!r} has too many different values to name parts; set its type to category"
        raise InvalidRequest.at("/split/column", "not_parts", message)
    for name in names:
        if name not in values:
            message = f"column {column.name!r} has no value {name!r}; {nearest(name, values)}"
            raise InvalidRequest.at(f"/split/parts/{name}", "unknown_value", message)
    parts = named_parts(values, names)
    unknown = [value for value, part in zip(values, parts, strict=True) if part is None]
    if unknown:
        shown = ", ".join(repr(value) for value in unknown[:5])
        message = (
            f"{shown} of column {column.name!r} name no part; say in split.parts which of {', '.join(PARTS)} it is"
        )
        raise InvalidRequest.at("/split/parts", "unknown_part", message)
