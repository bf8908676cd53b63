"""Images of a dataset, side by side in one picture."""

from __future__ import annotations

import base64
import json
import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api_schemas.datasets import Column, Dataset
from api_schemas.errors import Conflict, InvalidRequest
from api_schemas.nearest import nearest
from service.plot_text import safe

_DTYPES = {"U8": "u1", "F32": "<f4", "F64": "<f8", "I32": "<i4"}
_SIDE = 64
"""Pixels of the longer side of an image in the grid; larger ones are thinned out, smaller ones enlarged."""
_GAP, _TEXT = 6, 14
_MOST_COLUMNS = 10


@dataclass(frozen=True)
class Grid:
    """Some images of a dataset.

    Attributes:
        images: (images, channels, height, width), one channel or three, 0 to 255.
        labels: what stands below each; empty for nothing.
    """

    images: NDArray[np.uint8]
    labels: Sequence[str]


def read_grid(arrays: Path, dataset: Dataset, label: str | None, limit: int) -> Grid:
    """The first images of a dataset, or of one class.

    Args:
        arrays: what training reads; only the pages of the images shown are read.
        dataset: ready, with a column of arrays.
        label: a class of the target; None for all.
        limit: most images.

    Raises:
        Conflict: when its rows are no images.
        InvalidRequest: when there is no such class.
    """
    column = next((column for column in dataset.columns if column.type == "array"), None)
    shape = _picture_shape(column)
    if column is None or shape is None:
        raise Conflict(
            "the rows of this dataset are no images; they are arrays with a height and a width, or with channels too"
        )
    held = _arrays(arrays)
    target = next((column for column in dataset.columns if column.name == dataset.target), None)
    names = target.stats.categories if target else []
    codes = _codes(target, held) if target and names else np.zeros(0, np.int64)
    if label is not None and label not in names:
        raise InvalidRequest.at("/class", "unknown_class", f"there is no class {label!r}; {nearest(label, names)}")
    x = held[f"column/{column.name}"]
    rows = np.flatnonzero(codes == names.index(label)) if label is not None else np.arange(len(x))
    rows = rows[:limit]
    images = _thinned(x[rows].reshape(-1, *shape)).astype(np.float64)
    return Grid(_bytes(images, column), [names[code] for code in codes[rows]] if names else [])


def grid_svg(grid: Grid) -> str:
    """The images in rows, each with its label below it."""
    count, _, height, width = grid.images.shape
    across = max(1, min(_MOST_COLUMNS, count))
    scale = _SIDE / max(height, width)
    wide, high = width * scale, height * scale
    below = _TEXT if grid.labels else 0
    tiles: list[str] = []
    for place, image in enumerate(grid.images):
        left = _GAP + (place % across) * (_SIDE + _GAP)
        top = _GAP + (place // across) * (high + below + _GAP)
        source = base64.b64encode(_png(image)).decode()
        tiles.append(
            f'<image x="{left}" y="{top}" width="{wide}" height="{high}" image-rendering="optimizeSpeed" '
            f'href="data:image/png;base64,{source}"/>'
        )
        if grid.labels:
            words = safe(grid.labels[place][:12])
            tiles.append(f'<text x="{left + wide / 2}" y="{top + high + 11}" text-anchor="middle">{words}</text>')
    total = _GAP + math.ceil(count / across) * (high + below + _GAP)
    size = f'width="{_GAP + across * (_SIDE + _GAP)}" height="{total:g}"'
    style = "text{font-family:Inter,system-ui,sans-serif;font-size:10px;fill:#57606a}"
    paper = '<rect width="100%" height="100%" fill="#fff"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{style}</style>{paper}{"".join(tiles)}</svg>'


def _picture_shape(column: Column | None) -> tuple[int, int, int] | None:
    axes = column.stats.shape if column else []
    if len(axes) not in (2, 3):
        return None
    return (axes[-3] if len(axes) == 3 else 1, axes[-2], axes[-1])


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """What stands in a safetensors file, mapped into memory; the library that reads it would bring its own numpy."""
    with path.open("rb") as file:
        start = 8 + int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(start - 8))
    whole = np.memmap(path, np.uint8, "r")
    return {
        name: whole[start + entry["data_offsets"][0] : start + entry["data_offsets"][1]]
        .view(_DTYPES[entry["dtype"]])
        .reshape(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__"
    }


def _codes(target: Column, held: dict[str, NDArray[Any]]) -> NDArray[np.int64]:
    """The class of each row, by its place among the target's categories."""
    values = held[f"column/{target.name}"]
    if target.type == "category":
        return values.astype(np.int64)
    return np.searchsorted(np.array(target.stats.categories, np.float64), values).astype(np.int64)


def _thinned(images: NDArray[Any]) -> NDArray[Any]:
    """Every so many-th pixel of images that are larger than they are shown at twice the size."""
    step = max(1, max(images.shape[2:]) // (2 * _SIDE))
    shown = images[:, :, ::step, ::step]
    return shown[:, :3] if shown.shape[1] >= 3 else shown[:, :1]


def _bytes(images: NDArray[np.float64], column: Column) -> NDArray[np.uint8]:
    """Numbers as brightness: what a byte holds as it is, all else from the smallest in the dataset to the largest."""
    low, high = column.stats.minimum or 0.0, column.stats.maximum or 0.0
    if low >= 0 and 128 <= high <= 255:
        low, high = 0.0, 255.0
    return ((images - low) * (255 / (high - low or 1))).clip(0, 255).astype(np.uint8)


def _png(image: NDArray[np.uint8]) -> bytes:
    """An image (channels, height, width) as PNG (ISO 15948), 8 bits, grey or RGB."""
    channels, height, width = image.shape
    lines = np.zeros((height, 1 + width * channels), np.uint8)  # each line begins with its filter, here none
    lines[:, 1:] = image.transpose(1, 2, 0).reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if channels == 3 else 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes())), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
