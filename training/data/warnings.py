"""What in a table will probably disturb training."""

from __future__ import annotations

from api_schemas.datasets import Column
from api_schemas.errors import Fault

_MANY_MISSING = 0.3
_SCALE_RATIO = 100.0
_FEW_ROWS = 20
_IMBALANCE = 10
_MOST_CLASSES = 20


def warn(columns: list[Column], rows: int) -> list[Fault]:
    """Every warning, each with a pointer to its column."""
    found = [
        Fault(pointer=f"/columns/{place}", code=code, message=f"column {column.name!r} {message}")
        for place, column in enumerate(columns)
        for code, message in _of_column(column, rows)
    ]
    return [*found, *_scales(columns)]


def _of_column(column: Column, rows: int) -> list[tuple[str, str]]:
    stats, found = column.stats, list[tuple[str, str]]()
    if stats.distinct == 1:
        found.append(
            ("constant_column", f"has the value {stats.example!r} in every row; nothing can be learned from it")
        )
    if stats.missing > _MANY_MISSING * rows:
        found.append(("many_missing", f"has no value in {stats.missing} of {rows} rows"))
    elif stats.missing and column.role != "ignore":
        found.append(("missing_values", _missing(column)))
    if stats.dates:
        found.append(
            ("read_as_days", "holds dates; it is read as days since 1970-01-01, unless you make it a category")
        )
    if column.role == "target" and 1 < len(stats.counts) <= _MOST_CLASSES:
        found += _imbalance(column)
    if column.role != "target" and _looks_like_id(column, rows):
        found.append(("looks_like_id", "numbers or names the rows; set its role to ignore, or it is learned by heart"))
    return found


def _missing(column: Column) -> str:
    stats = column.stats
    shown = ", ".join(str(row) for row in stats.missing_rows)
    where = f"rows {shown}{', ...' if stats.missing > len(stats.missing_rows) else ''}"
    what = f"has no value in {stats.missing} {'row' if stats.missing == 1 else 'rows'} ({where})"
    return f"{what}; jobs that use it are refused unless its `missing` says what to fill in"


def _imbalance(column: Column) -> list[tuple[str, str]]:
    counts = dict(zip(column.stats.categories, column.stats.counts, strict=True))
    rare, common = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
    if counts[common] < _IMBALANCE * counts[rare]:
        return []
    message = (
        f"has {counts[common]} rows of {common!r} and {counts[rare]} of {rare!r}: a network may call every row "
        f"{common!r} and be right mostly; weigh the classes in the loss, and watch balanced_accuracy"
    )
    return [("class_imbalance", message)]


def _looks_like_id(column: Column, rows: int) -> bool:
    stats = column.stats
    if rows <= _FEW_ROWS or stats.distinct < rows:
        return False
    if column.type != "numeric":
        return True
    dense = stats.minimum is not None and stats.maximum == stats.minimum + rows - 1
    return stats.integral and (dense or column.name.lower().endswith("id"))


def _scales(columns: list[Column]) -> list[Fault]:
    spreads = {column.name: column.stats.std or 0.0 for column in columns if column.role == "feature"}
    spreads = {name: spread for name, spread in spreads.items() if spread > 0}
    if not spreads:
        return []
    narrow, wide = min(spreads, key=spreads.__getitem__), max(spreads, key=spreads.__getitem__)
    if spreads[wide] <= _SCALE_RATIO * spreads[narrow]:
        return []
    message = (
        f"{wide!r} varies {spreads[wide] / spreads[narrow]:.3g} times as much as {narrow!r}; keep the preprocessing "
        "`standard`, or training crawls along the narrow one"
    )
    return [Fault(pointer="/columns", code="scale_ratio", message=message)]
