"""Compressed uploads: gzip and Zstandard, unpacked to a plain file under a limit."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import zstandard

from training.data.refusal import Limits, UnreadableTable

_BLOCK = 1 << 20
_ZSTANDARD_BLOCK = 4 << 10
"""A block of zeros may become 30,000 times as many bytes in memory."""


def unpacked(path: Path, scratch: Path, limits: Limits) -> Path:
    """The file itself where it is not compressed, else what is in it, as a file in `scratch`.

    Args:
        path: the uploaded bytes.
        scratch: a folder that the caller removes.
        limits: of the decompressed bytes; a bomb is stopped when it reaches them.

    Raises:
        UnreadableTable: when it is damaged, cut short, or too large.
    """
    with path.open("rb") as packed:
        unpack = _UNPACKERS.get(packed.read(2))
        if unpack is None:
            return path
        packed.seek(0)
        plain, size = scratch / "unpacked", 0
        try:
            with plain.open("wb") as file:
                for block in unpack(packed):
                    size += len(block)
                    limits.check_bytes(size, "the decompressed file")
                    file.write(block)
        except EOFError as error:
            raise UnreadableTable("truncated", "the compressed file ends too early; upload it whole") from error
        except (zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as error:
            raise UnreadableTable("damaged", f"the compressed file is damaged ({error}); pack it again") from error
    return plain


def _gunzip(packed: IO[bytes]) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=packed) as file:
        while block := file.read(_BLOCK):
            yield block


def _unzstd(packed: IO[bytes]) -> Iterator[bytes]:
    """The frames one after the other; `zstandard`'s own reader does not tell when the last one is cut short."""
    decompressor = zstandard.ZstdDecompressor()
    frame, complete = decompressor.decompressobj(), True
    while block := packed.read(_ZSTANDARD_BLOCK):
        while block:
            yield frame.decompress(block)
            complete, block = frame.eof, frame.unused_data
            if complete:
                frame = decompressor.decompressobj()
    if not complete:
        raise EOFError


_UNPACKERS: dict[bytes, Callable[[IO[bytes]], Iterator[bytes]]] = {b"\x1f\x8b": _gunzip, b"\x28\xb5": _unzstd}
"""By how such files begin."""
