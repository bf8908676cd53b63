"""Which of a file's arrays are features, target and split."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from training.data.plain import without_missing

FEATURES = ("x", "features", "data", "images")
"""What the array of features may be called."""
TARGETS = ("y", "target", "targets", "label", "labels")
"""What the array of targets may be called."""
PARTS = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation", "test": "test"}
"""What may stand before or behind a name, as in `x_train`, and the rows that it means."""
LONGEST_LIST = 1000
"""Numbers of a row that are columns of their own; more are one array."""


@dataclass(frozen=True)
class Examples:
    """What can be learned from, row by row."""

    x: np.ndarray  # (rows, ...)
    y: np.ndarray | None  # (rows,)
    split: np.ndarray | None  # (rows,): "train", "validation" or "test"
    x_name: str = "x"
    y_name: str = "y"
    ignored: tuple[str, ...] = ()
    """Arrays that were left out."""


def examples(arrays: Mapping[str, np.ndarray], target: str | None = None) -> Examples:
    """Find features, target and split among arrays; parts such as `x_train` and `x_test` are joined, train first.

    Args:
        arrays: by name: `x` or another of `FEATURES`, `y` or another of `TARGETS`, and `split`, which says "train",
            "validation" or "test" of each row.
        target: the name of the target, where it is another array.

    Raises:
        ValueError: for people, when there are no features, or the arrays do not fit together.
    """
    names = _roles(arrays, target if any(target in (name, _stem(name)[0]) for name in arrays) else None)
    parts = [part for part in ("train", "validation", "test") if ("x", part) in names]
    if not parts:
        raise ValueError(f"no array is called x; the file holds {', '.join(sorted(arrays)) or 'none'}")
    features = [names["x", part] for part in parts]
    targets = [names["y", part] for part in parts if ("y", part) in names]
    if targets and len(targets) < len(parts):
        raise ValueError(f"{', '.join(features)} are there, and only {', '.join(targets)}; give every part its target")
    x = _joined([arrays[name] for name in features])
    y = _joined([_one_a_row(name, arrays[name]) for name in targets]) if targets else None
    split, used = None, {*features, *targets}
    if len(parts) > 1:
        split = np.repeat(parts, [len(arrays[name]) for name in features])
    elif "split" in arrays:
        split, used = _said(arrays["split"]), used | {"split"}
    for name, rows in (("y", y), ("split", split)):
        if rows is not None and len(rows) != len(x):
            raise ValueError(f"{len(x)} rows of x and {len(rows)} of {name}; give every row one")
    y_name = _stem(targets[0])[0] if targets else "y"
    return Examples(x, y, split, _stem(features[0])[0], y_name, tuple(sorted(set(arrays) - used)))


def columns_of(found: Examples) -> dict[str, pl.Series | np.ndarray]:
    """Columns by name: text or Float64 (rows,), null where a value is missing, and features of arrays (rows, ...).

    Features (rows, k) are columns `x1` to `xk`, unless a row is longer than `LONGEST_LIST`.

    Raises:
        ValueError: for people, when values are neither numbers nor text.
    """
    x, name = found.x, found.x_name
    columns: dict[str, pl.Series | np.ndarray] = {}
    if x.ndim <= 2 and x[0].size <= LONGEST_LIST:
        listed = x.reshape(len(x), -1)
        columns |= {f"{name}{place}": _cells(name, listed[:, place - 1]) for place in range(1, listed.shape[1] + 1)}
    else:
        columns[name] = channels_first(x)
    if found.y is not None:
        columns[found.y_name] = _cells(found.y_name, found.y)
    if found.split is not None:
        columns["split"] = _cells("split", found.split)
    return columns


def name_idx(files: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of IDX files under names that tell what they are; labels have one axis, MNIST calls test rows `t10k`.

    Args:
        files: arrays by the names, or the paths, of their files.

    Raises:
        ValueError: for people, when two files are the same thing.
    """
    named: dict[str, np.ndarray] = {}
    for file, array in files.items():
        said = re.search("t10k|test|val", Path(file).name.lower())
        part = {"t10k": "test"}.get(said.group(), said.group()) if said else "train"
        name = f"{'y' if array.ndim == 1 else 'x'}_{part}"
        if name in named:
            what = "labels" if array.ndim == 1 else "images"
            raise ValueError(
                f"two files hold {what} of {part} rows; the name of a file of test rows holds test or t10k"
            )
        named[name] = array
    return named


def channels_first(x: np.ndarray) -> np.ndarray:
    """Images (rows, height, width, channels) as (rows, channels, height, width); all else as it is.

    The last axis is taken for channels where it has 1, 3 or 4 of them and the second has not.
    """
    last = x.ndim == 4 and x.shape[3] in (1, 3, 4) and x.shape[1] not in (1, 3, 4)
    return x.transpose(0, 3, 1, 2) if last else x


def flat(x: np.ndarray) -> np.ndarray:
    """Rows (rows, width): each array in the order of its axes, the last one fastest."""
    return np.ascontiguousarray(x).reshape(len(x), -1)


def flat_numbers(x: np.ndarray) -> np.ndarray:
    """The same rows (rows, width) as float64."""
    return flat(x).astype(np.float64)


def _roles(arrays: Mapping[str, np.ndarray], target: str | None) -> dict[tuple[str, str], str]:
    """The name of each array that is features `x` or target `y`, by that and its part of the rows."""
    names: dict[tuple[str, str], str] = {}
    for name in arrays:
        stem, part = _stem(name)
        if target is None:
            role = "x" if stem.lower() in FEATURES else "y" if stem.lower() in TARGETS else None
        else:
            role = "y" if target in (name, stem) else "x" if stem.lower() in FEATURES else None
        if role is None:
            continue
        if (role, part) in names:
            raise ValueError(f"{names[role, part]!r} and {name!r} are both {role}; leave one out")
        names[role, part] = name
    return names


def _stem(name: str) -> tuple[str, str]:
    """A name without the part of the rows that it tells, and that part: `x_test` is x of test; x alone is of train."""
    words = name.split("_")
    for place in (-1, 0):
        if len(words) > 1 and words[place].lower() in PARTS:
            part = PARTS[words.pop(place).lower()]
            return "_".join(words), part
    return name, "train"


def _one_a_row(name: str, array: np.ndarray) -> np.ndarray:
    if array.ndim == 2 and array.shape[1] == 1:
        return array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"the target {name!r} is of shape {array.shape}; give one number, or one class, a row")
    return array


def _said(split: np.ndarray) -> np.ndarray:
    words = [str(word).lower() for word in split.ravel().tolist()]
    unknown = sorted(set(words) - set(PARTS))
    if unknown:
        raise ValueError(f"split says {unknown[0]!r}; say train, validation or test of each row")
    return np.array([PARTS[word] for word in words])


def _cells(name: str, values: np.ndarray) -> pl.Series:
    """Values (rows,) as a table's column has them."""
    if values.dtype.kind in "iuf":
        return pl.Series(values.astype(np.float64)).fill_nan(None)
    if values.dtype.kind not in "bSU":
        raise ValueError(f"array {name!r} is of type {values.dtype}; save numbers or text")
    text = np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values.astype(str)
    return without_missing(pl.Series(text, dtype=pl.String))


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    if len({part.shape[1:] for part in parts}) > 1:
        shapes = " and ".join(str(part.shape) for part in parts)
        raise ValueError(f"the parts are of shapes {shapes}; all axes but the first have to agree")
    return np.concatenate(parts) if len(parts) > 1 else parts[0]
