"""What a person says of a dataset's columns, laid over what was inferred."""

from __future__ import annotations

from collections.abc import Sequence

from api_schemas.datasets import Column, ColumnChoice, DatasetChange
from api_schemas.errors import Fault, InvalidRequest
from api_schemas.nearest import nearest


def check_change(columns: Sequence[Column], change: DatasetChange) -> None:
    """Refuse what does not fit the columns.

    Raises:
        InvalidRequest: there is no such column, or what shall stand in for a missing value does not fit it.
    """
    faults = [*_unknown_names(columns, change), *_means_of_categories(columns, change)]
    if faults:
        raise InvalidRequest.of(faults)


def changed_target(columns: Sequence[Column], before: str | None, change: DatasetChange) -> str | None:
    """The column to predict after a change; none once the one before was given another role.

    Raises:
        InvalidRequest: two columns shall be it, or one that no loss can compare with an output.
    """
    named = {choice.name: f"/columns/{index}/role" for index, choice in enumerate(change.columns) if _is_target(choice)}
    named |= {change.target: "/target"} if change.target else {}
    if len(named) > 1:
        both = " and ".join(repr(name) for name in list(named)[:2])
        raise InvalidRequest.at("/target", "two_targets", f"{both} are both the target; choose one")
    for name, pointer in named.items():
        if any(column.name == name and column.type in ("array", "tokens") for column in columns):
            message = f"column {name!r} holds arrays or text, which are features as they are; choose another target"
            raise InvalidRequest.at(pointer, "no_target", message)
        return name
    released = any(choice.name == before and choice.role is not None for choice in change.columns)
    return None if released else before


def merged(before: Sequence[ColumnChoice], change: DatasetChange, target: str | None) -> list[ColumnChoice]:
    """Earlier choices with what a change says laid over them, and of two targets the later one."""
    choices = {choice.name: choice for choice in before}
    for choice in change.columns:
        said = choice.model_dump(exclude_none=True)
        choices[choice.name] = choices.get(choice.name, choice).model_copy(update=said)
    return [
        choice.model_copy(update={"role": None}) if _is_target(choice) or choice.name == target else choice
        for choice in choices.values()
    ]


def corrected(column: Column, choices: Sequence[ColumnChoice]) -> Column:
    """A column as a person wants it used; its type was decided when the file was read."""
    for choice in choices:
        if choice.name == column.name:
            said = choice.model_dump(exclude_none=True, include={"role", "encode", "missing"})
            return column.model_copy(update=said)
    return column


def _unknown_names(columns: Sequence[Column], change: DatasetChange) -> list[Fault]:
    names = [column.name for column in columns]
    asked = [("/target", change.target)] if change.target else []
    asked += [(f"/columns/{index}/name", choice.name) for index, choice in enumerate(change.columns)]
    return [
        Fault(pointer=pointer, code="unknown_column", message=f"there is no column {name!r}; {nearest(name, names)}")
        for pointer, name in asked
        if name not in names
    ]


def _means_of_categories(columns: Sequence[Column], change: DatasetChange) -> list[Fault]:
    """Categories have no mean; a changed type is checked when the file is read again."""
    categories = {column.name for column in columns if column.type == "category"}
    return [
        Fault(
            pointer=f"/columns/{index}/missing",
            code="not_numeric",
            message=no_mean(choice),
        )
        for index, choice in enumerate(change.columns)
        if choice.type is None and choice.name in categories and choice.missing in ("mean", "median")
    ]


def no_mean(choice: ColumnChoice) -> str:
    """What is said of a mean or a median that shall stand in for a missing category."""
    return f"column {choice.name!r} holds categories, which have no {choice.missing}; use most_frequent"


def _is_target(choice: ColumnChoice) -> bool:
    return choice.role == "target"
