"""The arithmetic of cells: what is left of a stretch of a curve where it is looked at from further away."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Steps: TypeAlias = NDArray[np.int64]
Values: TypeAlias = NDArray[np.float64]
Cells: TypeAlias = NDArray[np.void]
"""Shape (cells,), each a `CELL`, in rising order of steps."""

CELL = np.dtype(
    [
        ("last_step", "<i8"),
        ("count", "<u4"),
        ("finite", "<u4"),
        ("value", "<f8"),
        ("min", "<f8"),
        ("max", "<f8"),
        ("sum", "<f8"),
    ]
)
"""The points between two multiples of a number of steps: the last of them, and how many there are. `min`, `max` and
`sum` are of the `finite` ones; of none they are infinity, minus infinity and 0."""

_JOINED = {"count": np.add, "finite": np.add, "min": np.minimum, "max": np.maximum, "sum": np.add}


def cells_of(steps: Steps, values: Values, width: int) -> Cells:
    """Points in cells that end at multiples of a number of steps.

    Args:
        steps: shape (points,), rising, at least one.
        values: shape (points,).
        width: in steps.
    """
    starts, ends = _bounds(steps, width)
    finite = np.isfinite(values)
    whole = bool(finite.all())
    cells = np.empty(len(starts), CELL)
    cells["last_step"], cells["value"] = steps[ends], values[ends]
    cells["count"] = counts = ends - starts + 1
    cells["finite"] = counts if whole else _reduced(np.add, finite.astype(np.uint32), starts)
    for name, join, nothing in (("min", np.minimum, np.inf), ("max", np.maximum, -np.inf), ("sum", np.add, 0.0)):
        cells[name] = _reduced(join, values if whole else np.where(finite, values, nothing), starts)
    return cells


def joined(parts: Iterable[Cells]) -> Cells:
    """Cells that follow each other, by their bytes: numpy would compare the types of each two parts, field by field."""
    return np.frombuffer(b"".join(part.tobytes() for part in parts), CELL)


def merged(cells: Cells, width: int) -> Cells:
    """Cells that lie between the same two multiples of a number of steps become one.

    Args:
        cells: at least one, none of which lies on both sides of such a multiple.
        width: in steps.
    """
    starts, ends = _bounds(cells["last_step"], width)
    wide = np.empty(len(starts), CELL)
    for name in ("last_step", "value"):
        wide[name] = cells[name][ends]
    for name, join in _JOINED.items():
        wide[name] = _reduced(join, cells[name], starts)
    return wide


def _bounds(steps: Steps, width: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The places of the first and of the last step of each cell."""
    place = steps // width
    starts = np.flatnonzero(np.concatenate([[True], place[1:] != place[:-1]]))
    return starts, np.append(starts[1:], len(steps)) - 1


def _reduced(join: np.ufunc, values: NDArray[Any], starts: NDArray[np.intp]) -> NDArray[Any]:
    with np.errstate(over="ignore", invalid="ignore"):  # a sum of large numbers may be infinite
        return join.reduceat(values, starts)


def width_of(span: int, most: int) -> int:
    """The smallest power of two of which `most` are at least a span, both in steps."""
    return 1 << max(0, -(-span // most) - 1).bit_length()
