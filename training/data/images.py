"""What a zip of images may be: every file is looked at before one is decoded."""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile, ZipInfo

import numpy as np
from PIL import Image, UnidentifiedImageError

from api_schemas.errors import Fault
from training.data.image_files import KINDS, image_paths, is_hidden, pictures, read_pixels
from training.data.refusal import Limits, UnreadableTable

MAX_ENTRIES = 1_000_000
"""Files in a zip."""
MAX_PIXELS = 50_000_000
"""Of one image, as its header says."""
MAX_FILE_BYTES = 200 << 20
"""Of one image's file."""
_USUAL = 0.9
"""Of the images that have the size to which the others are resized without being asked."""
_ENCRYPTED = 0x1
_TURNED = frozenset({5, 6, 7, 8})
"""EXIF orientations under which height and width change places."""
_ORIENTATION = 0x0112
_GRAY = frozenset({"1", "L", "LA"})
_COLOURED = frozenset({"P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV"})


@dataclass(frozen=True)
class Layout:
    """What all images of an archive become."""

    mode: str
    """`L` for one channel, `RGB` for three."""
    height: int
    width: int
    warnings: list[Fault]


@dataclass(frozen=True)
class _Header:
    path: str
    mode: str
    size: tuple[int, int]
    """Height and width, as the image is held."""


def lay_out(path: Path, asked: tuple[int, int] | None, limits: Limits) -> Layout:
    """Find out what the images of a zip have in common; their headers are read, no pixel is decoded.

    Args:
        path: of the zip.
        asked: height and width of every image; None for the size that most of them have.
        limits: of the files once they are decompressed, and of the pixels of all images.

    Raises:
        UnreadableTable: when the archive is damaged, hostile or no folder of images, or the sizes differ too much.
    """
    entries, headers = _looked_at(path, limits, lambda paths: [picture.path for picture in pictures(paths)])
    mode = "L" if all(header.mode in _GRAY for header in headers) else "RGB"
    (height, width), warnings = _size(headers, asked)
    limits.check_bytes(len(headers) * height * width * len(mode), "the pixels of all images")
    return Layout(mode, height, width, [*warnings, *_others(entries, headers)])


def read_loose_images(path: Path, image: tuple[int, int, int], limits: Limits) -> tuple[list[str], np.ndarray]:
    """The images of a zip, in folders or not, as a network wants them.

    Args:
        path: of the zip.
        image: channels, height and width.
        limits: as of `lay_out`.

    Returns:
        Their paths, sorted, and their pixels (rows, channels, height, width).

    Raises:
        UnreadableTable: when the archive is damaged or hostile, or an image cannot be decoded.
    """
    channels, height, width = image
    _, headers = _looked_at(path, limits, image_paths)
    paths = [header.path for header in headers]
    limits.check_bytes(len(paths) * math.prod(image), "the pixels of all images")
    try:
        return paths, read_pixels(path, paths, "L" if channels == 1 else "RGB", height, width)
    except ValueError as error:
        raise UnreadableTable("damaged_image", str(error)) from error


def _looked_at(
    path: Path, limits: Limits, find: Callable[[Iterable[str]], list[str]]
) -> tuple[dict[str, ZipInfo], list[_Header]]:
    """The files of a zip by their paths, and what those that `find` names as images say of themselves.

    Raises:
        UnreadableTable: when the archive is damaged or hostile, or `find` finds none.
    """
    try:
        with ZipFile(path) as archive:
            entries = {entry.filename: entry for entry in archive.infolist() if not entry.is_dir()}
            _refuse_hostile(list(entries.values()), limits)
            return entries, [_header(archive, entries[image]) for image in find(entries)]
    except BadZipFile as error:
        raise UnreadableTable("not_a_zip", f"this is no whole zip archive ({error}); pack it again") from error
    except ValueError as error:
        raise UnreadableTable("no_images", str(error)) from error


def _refuse_hostile(entries: list[ZipInfo], limits: Limits) -> None:
    if len(entries) > MAX_ENTRIES:
        raise UnreadableTable("too_many_files", f"the archive holds {len(entries):,} files; at most {MAX_ENTRIES:,}")
    for entry in entries:
        steps = entry.filename.replace("\\", "/").split("/")
        if ".." in steps or not steps[0] or ":" in steps[0]:
            message = f"the archive's path {entry.filename[:200]!r} leads out of it; pack the folder itself"
            raise UnreadableTable("path_traversal", message)
        if entry.flag_bits & _ENCRYPTED:
            raise UnreadableTable("encrypted", "the archive is encrypted; pack it without a password")
    limits.check_bytes(sum(entry.file_size for entry in entries), "the decompressed archive")


def _header(archive: ZipFile, entry: ZipInfo) -> _Header:
    """What an image says of itself.

    Raises:
        UnreadableTable: when it is no image, has too many pixels, or has a kind of pixels that 8 bits cannot hold.
    """
    name = entry.filename
    try:
        with archive.open(entry) as file, Image.open(file, formats=KINDS) as image:
            width, height = image.size
            turned = "exif" in image.info and image.getexif().get(_ORIENTATION) in _TURNED
            mode = image.mode
    except UnidentifiedImageError as error:
        raise UnreadableTable("not_an_image", f"{name!r} is no image; take it out") from error
    except Image.DecompressionBombError as error:
        raise _too_large(name) from error
    except (OSError, SyntaxError, ValueError, NotImplementedError, zlib.error) as error:
        raise UnreadableTable("damaged_image", f"{name!r} cannot be read ({error}); save it again") from error
    if width * height > MAX_PIXELS or entry.file_size > MAX_FILE_BYTES:
        raise _too_large(name)
    if mode not in _GRAY | _COLOURED:
        message = f"{name!r} has pixels of kind {mode}, which 8 bits cannot hold; save the arrays as NPZ"
        raise UnreadableTable("not_8_bit", message)
    return _Header(name, mode, (width, height) if turned else (height, width))


def _too_large(name: str) -> UnreadableTable:
    message = f"{name!r} has more than {MAX_PIXELS:,} pixels, or {MAX_FILE_BYTES:,} bytes; make it smaller"
    return UnreadableTable("image_too_large", message)


def _size(headers: list[_Header], asked: tuple[int, int] | None) -> tuple[tuple[int, int], list[Fault]]:
    """Height and width of all images, and a warning where some are resized.

    Raises:
        UnreadableTable: when nothing is asked and no size is that of nearly all images.
    """
    sizes = Counter(header.size for header in headers)
    (usual, times), *others = sizes.most_common()
    if asked is None and times < _USUAL * len(headers):
        shown = ", ".join(f"{height} x {width}" for height, width in [usual, *(size for size, _ in others)][:5])
        message = f"the images are of {len(sizes)} sizes (height x width: {shown}); say `image_size`, such as 64x64"
        raise UnreadableTable("several_sizes", message, "/image_size")
    size = asked or usual
    resized = len(headers) - sizes[size]
    if not resized:
        return size, []
    message = f"{resized} of {len(headers)} images were resized to {size[0]} x {size[1]}; not all had the same shape"
    return size, [Fault(pointer="/columns/0", code="resized", message=message)]


def _others(entries: Mapping[str, ZipInfo], headers: list[_Header]) -> list[Fault]:
    """A warning of files that are no images; what no person put there is passed over."""
    images = {header.path for header in headers}
    left = [path for path in entries if path not in images and not is_hidden(path)]
    if not left:
        return []
    message = f"{len(left)} {'file is' if len(left) == 1 else 'files are'} no image and left out: {left[0][:200]!r}"
    return [Fault(pointer="/file", code="left_out", message=message + (", ..." if len(left) > 1 else ""))]
