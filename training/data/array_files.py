"""The arrays in NPZ, safetensors and IDX files, by name."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Sequence
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np

_OF_IDX = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_OF_SAFETENSORS = {"BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4"} | {
    "U64": "<u8",
    "I64": "<i8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
}


def read_npz(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of an NPZ file by name.

    Raises:
        ValueError: when one holds Python objects, which would have to be unpickled.
    """
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def read_safetensors(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file by name, mapped into memory: a page is read when it is used.

    Raises:
        ValueError: when numpy has no such type, as of bfloat16.
    """
    with Path(path).open("rb") as file:
        start = 8 + int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(start - 8))
    whole = np.memmap(path, np.uint8, "r")
    arrays: dict[str, np.ndarray] = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] not in _OF_SAFETENSORS:
            raise ValueError(f"array {name!r} is of type {entry['dtype']}; save it as float32")
        begin, end = entry["data_offsets"]
        arrays[name] = whole[start + begin : start + end].view(_OF_SAFETENSORS[entry["dtype"]]).reshape(entry["shape"])
    return arrays


def read_idx(path: str | Path) -> np.ndarray:
    """The array of an IDX file, gzipped or not."""
    with open_idx(path) as file:
        kind, shape = idx_header(file)
        return np.frombuffer(file.read(), kind).reshape(shape)


def read_idx_files(paths: Sequence[str]) -> dict[str, np.ndarray]:
    """The arrays of several IDX files by their paths."""
    return {path: read_idx(path) for path in paths}


def open_idx(path: str | Path) -> BufferedIOBase:
    """An IDX file's own bytes."""
    with Path(path).open("rb") as packed:
        zipped = packed.read(2) == b"\x1f\x8b"
    return gzip.open(path) if zipped else Path(path).open("rb")


def idx_header(file: BufferedIOBase) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """The type and the axes of the numbers that follow in an IDX file.

    Raises:
        ValueError: when it begins otherwise.

    Source:
        LeCun, Cortes and Burges, The MNIST database, 1998: two bytes of 0, the type, the number of axes, the axes as
        big-endian numbers of 4 bytes, then the numbers, the last axis fastest.
    """
    zeros, kind, axes = struct.unpack(">HBB", file.read(4).ljust(4, b"\xff"))
    if zeros or kind not in _OF_IDX:
        raise ValueError("it does not begin with two bytes of 0 and a type")
    return np.dtype(_OF_IDX[kind]), struct.unpack(f">{axes}I", file.read(4 * axes).ljust(4 * axes, b"\0"))
