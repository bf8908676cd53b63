"""What in a table will probably disturb training."""

from __future__ import annotations

from api_schemas.datasets import Column
from api_schemas.errors import Fault

_MANY_MISSING = 0.3
_SCALE_RATIO = 100.0
_FEW_ROWS = 20


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
    if column.role != "target" and _looks_like_id(column, rows):
        found.append(("looks_like_id", "numbers or names the rows; set its role to ignore, or it is learned by heart"))
    return found


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
