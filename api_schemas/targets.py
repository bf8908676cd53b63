"""Which columns of an upload a job learns from, and whether its target is one that can be learned."""

from __future__ import annotations

from api_schemas.catalog.losses import LossEntry
from api_schemas.datasets import Column, Dataset
from api_schemas.errors import Fault, InvalidRequest
from api_schemas.jobs import JobSpec
from api_schemas.nearest import nearest

MAX_CLASSES = 1000
FEW_VALUES = 20
"""An unasked whole-number target with at most this many values is taken for classes, with more for a quantity."""


def feature_columns(dataset: Dataset, target: str | None) -> list[Column]:
    """The columns a network learns from, in the file's order: all features but the one that is named as the target."""
    return [
        column
        for column in dataset.columns
        if column.name != target and column.role in ("feature", "target") and column.type != "text"
    ]


def target_column(spec: JobSpec, dataset: Dataset, *, needed: bool) -> Column | None:
    """The column that a job, or else its dataset, names as the target.

    Raises:
        InvalidRequest: when there is no such column, or when none is named and one is needed.
    """
    name = spec.target or dataset.target
    names = [column.name for column in dataset.columns]
    if name is None and not needed:
        return None
    if name is None:
        raise InvalidRequest.at("/target", "missing", f"name the column to predict; {nearest('', names)}")
    for column in dataset.columns:
        if column.name == name:
            return column
    raise InvalidRequest.at("/target", "unknown_column", f"the dataset has no column {name!r}; {nearest(name, names)}")


def _refuse_array(target: Column) -> None:
    if target.type == "array":
        message = f"column {target.name!r} holds arrays; the target is one number, or one class, a row"
        raise InvalidRequest.at("/target", "is_array", message)


def refuse_missing(target: Column | None, features: list[Column]) -> None:
    """Refuse columns with holes that nothing fills, each with its rows.

    Raises:
        InvalidRequest: with a fault for each of them.
    """
    faults: list[Fault] = []
    for column in [*([target] if target else []), *features]:
        if column.stats.missing and (column is target or column.missing == "error"):
            rows = ", ".join(str(row) for row in column.stats.missing_rows)
            remedy = (
                "take those rows out of the file"
                if column is target
                else "complete the file, or set the column's `missing` to mean, median, most_frequent or indicator, or "
                "its `role` to ignore, with PATCH /v1/datasets"
            )
            faults.append(
                Fault(
                    pointer="/target" if column is target else "/dataset",
                    code="missing_values",
                    message=f"column {column.name!r} has {column.stats.missing} missing values (rows {rows}"
                    f"{', ...' if column.stats.missing > len(column.stats.missing_rows) else ''}); {remedy}",
                )
            )
    if faults:
        raise InvalidRequest.of(faults)


def class_counts(loss: LossEntry | None, target: Column) -> tuple[int, ...]:
    """Rows of each class of a target; empty where it is a number.

    Args:
        loss: as the client sent it, which decides for classes or numbers; None leaves it to the values.
        target: without missing values.

    Raises:
        InvalidRequest: when the loss cannot learn what the column holds.
    """
    _refuse_array(target)
    classify = _is_classification(loss, target)
    if loss is not None and loss.counts:
        _refuse_no_counts(loss, target)
    return tuple(target.stats.counts) if classify else ()


def _is_classification(loss: LossEntry | None, target: Column) -> bool:
    stats = target.stats
    if loss is None:
        classify = target.type != "numeric" or (stats.integral and stats.distinct <= FEW_VALUES)
    else:
        classify = loss.task == "classification"
    if not classify:
        if target.type != "numeric":
            shown = stats.not_numeric or repr(stats.example)
            raise InvalidRequest.at(
                "/target",
                "not_numeric",
                f"{loss.name if loss else 'regression'!r} needs numbers, and column {target.name!r} holds text "
                f"({shown}); choose another target, or a loss for classes such as cross_entropy",
            )
        return False
    if stats.distinct == 1:
        raise InvalidRequest.at(
            "/target",
            "one_class",
            f"column {target.name!r} has one class only ({stats.example!r}); there is nothing to tell apart",
        )
    if not stats.categories:
        raise InvalidRequest.at(
            "/target",
            "too_many_classes",
            f"column {target.name!r} has {stats.distinct} different values, more than {MAX_CLASSES} classes or not "
            "whole numbers; for a quantity use the loss mse",
        )
    return True


def _refuse_no_counts(loss: LossEntry, target: Column) -> None:
    stats = target.stats
    if not stats.integral or stats.minimum is None or stats.minimum < 0:
        raise InvalidRequest.at(
            "/target",
            "not_counts",
            f"{loss.name!r} is for counts, whole numbers from 0 on, and column {target.name!r} holds others; use 'mse'",
        )
