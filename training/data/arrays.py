"""Files that are no tables, read into columns and arrays: NPZ, safetensors, IDX, and images in folders."""

from __future__ import annotations

import gzip
import math
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import IO

import numpy as np
import polars as pl
from safetensors import SafetensorError, safe_open

from api_schemas.datasets import ColumnChoice, Format, Role
from api_schemas.errors import Fault
from training.data.array_files import idx_header, open_idx, read_idx, read_npz, read_safetensors
from training.data.examples import Examples, channels_first, columns_of, examples, name_idx
from training.data.image_files import read_images
from training.data.images import lay_out
from training.data.raw import RawTable
from training.data.refusal import Limits, UnreadableTable
from training.data.tables import Inspection, Keep, describe

_BLOCK = 1 << 20
Named = tuple[dict[str, np.ndarray], list[Fault]]
"""Arrays by name, and what may surprise."""


def inspect_arrays(
    files: Mapping[str, Path],
    format: Format,  # noqa: A002 - the contract's own word
    choices: Sequence[ColumnChoice] = (),
    target: str | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    keep: Keep = lambda _: None,
) -> Inspection:
    """Read files of arrays and infer what their columns hold.

    Args:
        files: where each lies, by what it was called.
        format: what they claim to be.
        choices: what a person said of some columns; it wins over what is inferred.
        target: the column to predict, where it is not the array `y`.
        limits: what the files have to keep.
        keep: what becomes of the arrays.

    Raises:
        UnreadableTable: when they cannot be used, or a choice does not fit them.
    """
    return describe(read_arrays(UploadedArrays(files, choices, target, limits), format), choices, target, keep)


@dataclass(frozen=True)
class UploadedArrays:
    """Files that are about to be read.

    Attributes:
        files: where each lies, by what it was called.
        choices: what a person said of the columns.
        target: the column to predict.
        limits: what the files have to keep.
    """

    files: Mapping[str, Path]
    choices: Sequence[ColumnChoice]
    target: str | None
    limits: Limits

    @property
    def only_file(self) -> Path:
        """The file, where it is one.

        Raises:
            UnreadableTable: when there are more.
        """
        if len(self.files) > 1:
            raise UnreadableTable("several_files", "such a dataset is one file; put everything into it")
        return next(iter(self.files.values()))


def read_arrays(upload: UploadedArrays, format: Format) -> RawTable:  # noqa: A002 - the contract's own word
    """Read files of arrays.

    Raises:
        UnreadableTable: when a file is damaged, hostile or of another kind, or its arrays do not fit together.
    """
    arrays, warnings = ARRAYS[format](upload)
    try:
        found = examples(arrays, upload.target)
        _refuse_bad_features(found.x_name, found.x, upload.limits)
        columns = columns_of(found)
    except ValueError as error:
        raise UnreadableTable("not_examples", str(error)) from error
    rows = range(1, len(found.x) + 1)
    return RawTable(
        columns={name: column for name, column in columns.items() if isinstance(column, pl.Series)},
        row_numbers=pl.Series(rows, dtype=pl.UInt32),
        arrays={name: array for name, array in columns.items() if isinstance(array, np.ndarray)},
        roles=_roles(found),
        warnings=[*warnings, *_of_examples(found)],
    )


def _roles(found: Examples) -> dict[str, Role]:
    roles: dict[str, Role] = {}
    if found.y is not None:
        roles[found.y_name] = "target"
    if found.split is not None:
        roles["split"] = "split"
    return roles


def _refuse_bad_features(name: str, x: np.ndarray, limits: Limits) -> None:
    if x.dtype.kind not in "biuf":
        raise ValueError(f"array {name!r} is of type {x.dtype}; features are numbers")
    if not 1 <= x.ndim <= 4:
        raise ValueError(f"array {name!r} is of shape {x.shape}; features have 1 to 4 axes, the first of them the rows")
    if not x.size:
        raise ValueError(f"array {name!r} is of shape {x.shape}, which holds nothing; give it some rows")
    limits.check_rows(len(x))


def _of_examples(found: Examples) -> Iterator[Fault]:
    if channels_first(found.x) is not found.x:
        message = f"{found.x_name!r} was taken for images whose channels come last, and turned to have them first"
        yield Fault(pointer="/columns/0", code="channels_last", message=message)
    if found.ignored:
        shown = ", ".join(repr(name) for name in found.ignored[:5])
        message = f"nothing is learned from {shown}; features are called x, the target y or as `target` says"
        yield Fault(pointer="/file", code="left_out", message=message)


def _read_npz(upload: UploadedArrays) -> Named:
    path, limits = upload.only_file, upload.limits
    try:
        with zipfile.ZipFile(path) as archive:
            limits.check_bytes(sum(entry.file_size for entry in archive.infolist()), "the decompressed file")
            for entry in archive.infolist():
                with archive.open(entry) as file:
                    _refuse_bad_header(entry, file)
        return read_npz(path), []
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise UnreadableTable("not_npz", f"this is no whole NPZ file ({error}); write it with numpy.savez") from error


def _refuse_bad_header(entry: zipfile.ZipInfo, file: IO[bytes]) -> None:
    """Hold what an array's header says against its bytes: numpy would first allocate what it says.

    Raises:
        UnreadableTable: when it is no array, is of objects, or has more or fewer bytes than it says.
    """
    name = entry.filename.removesuffix(".npy")
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = read(file)
    except (ValueError, SyntaxError, tokenize.TokenError) as error:
        reason = str(error).splitlines()[0][:200]
        raise UnreadableTable("not_an_array", f"{entry.filename!r} is no array ({reason})") from error
    if any(length < 0 for length in shape):
        raise UnreadableTable("not_an_array", f"array {name!r} says that it is of shape {shape}; save it again")
    if kind.hasobject:
        message = f"array {name!r} holds Python objects, and unpickling them could run any code; save numbers or texts"
        raise UnreadableTable("pickled", message)
    if math.prod(shape) * kind.itemsize != entry.file_size - file.tell():
        raise UnreadableTable("truncated", f"array {name!r} is not as long as it says; save it again")


def _read_safetensors(upload: UploadedArrays) -> Named:
    path = upload.only_file
    try:
        with safe_open(path, framework="numpy"):  # looks at every entry of the header
            pass
        return read_safetensors(path), []
    except SafetensorError as error:
        raise UnreadableTable(
            "not_safetensors", f"this is no whole safetensors file ({error}); save it again"
        ) from error
    except ValueError as error:
        raise UnreadableTable("unknown_type", str(error)) from error


def _read_idx(upload: UploadedArrays) -> Named:
    arrays = {name: _one_idx(name, path, upload.limits) for name, path in upload.files.items()}
    try:
        return name_idx(arrays), []
    except ValueError as error:
        raise UnreadableTable("not_idx", str(error)) from error


def _one_idx(name: str, path: Path, limits: Limits) -> np.ndarray:
    try:
        with open_idx(path) as file:
            kind, shape = idx_header(file)
            size = math.prod(shape) * kind.itemsize
            limits.check_bytes(size, name)
            found = _length(file, size)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UnreadableTable("damaged", f"{name!r} is damaged or cut short ({error}); upload it whole") from error
    except ValueError as error:
        raise UnreadableTable("not_idx", f"{name!r} is no IDX file: {error}") from error
    if found != size:
        held = f"{found:,}" if found < size else "more"
        message = f"{name!r} holds {held} bytes of numbers and says {size:,}; upload it whole"
        raise UnreadableTable("truncated", message)
    return read_idx(path)


def _length(file: BufferedIOBase, size: int) -> int:
    """How many bytes are left in a file, which is read no further than a block beyond `size`."""
    found = 0
    while found <= size and (block := file.read(_BLOCK)):
        found += len(block)
    return found


def _read_images(upload: UploadedArrays) -> Named:
    path = upload.only_file
    asked = next((choice.size for choice in upload.choices if choice.size), None)
    layout = lay_out(path, asked, upload.limits)
    try:
        return read_images(path, layout.mode, layout.height, layout.width), layout.warnings
    except ValueError as error:
        raise UnreadableTable("damaged_image", str(error)) from error


ARRAYS: dict[Format, Callable[[UploadedArrays], Named]] = {
    "npz": _read_npz,
    "safetensors": _read_safetensors,
    "idx": _read_idx,
    "images": _read_images,
}
"""How each kind of file is read."""
