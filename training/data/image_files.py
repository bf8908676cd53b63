"""The images in a zip of folders, one folder a class."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile

import numpy as np
from PIL import Image, ImageOps

KINDS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")
"""What is read, as Pillow calls it."""
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp"})
FOLDERS = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation", "test": "test"}
"""Folders above those of the classes, and the rows that they mean."""


@dataclass(frozen=True)
class Picture:
    """An image in an archive."""

    path: str
    label: str
    """The folder of its class."""
    part: str
    """`train`, `validation` or `test`."""


def image_paths(paths: Iterable[str]) -> list[str]:
    """The paths of images among those of an archive, sorted.

    What a Mac adds (`__MACOSX`, `.DS_Store`) and all else that is hidden is left out, as are files of other kinds.

    Raises:
        ValueError: for people, when there are none.
    """
    found = sorted(path for path in paths if _is_image(path))
    if not found:
        raise ValueError(f"the archive holds no image; known endings: {', '.join(sorted(SUFFIXES))}")
    return found


def pictures(paths: Iterable[str]) -> list[Picture]:
    """The images among the paths of an archive, in the order of their paths, each of the class whose folder it is in.

    Folders round everything are passed over; below a folder such as `train`, the next one is the class.

    Raises:
        ValueError: for people, when there are no images, or one lies in no class's folder.
    """
    found = image_paths(paths)
    folders = {PurePosixPath(path).parent for path in found}
    above = PurePosixPath(os.path.commonpath(folders))
    if folders == {above}:  # of one class
        above = above.parent
    return [_picture(path, PurePosixPath(path).relative_to(above)) for path in found]


def read_images(path: str | Path, mode: str, height: int, width: int) -> dict[str, np.ndarray]:
    """The images of a zip of folders as `x` (rows, channels, height, width), their classes `y`, and their `split`.

    Args:
        path: of the zip.
        mode: "L" for one channel, "RGB" for three.
        height: in pixels, that every image gets.
        width: in pixels.

    Raises:
        ValueError: for people, when an image cannot be decoded.
    """
    with ZipFile(path) as archive:
        found = pictures(archive.namelist())
    x = read_pixels(path, [picture.path for picture in found], mode, height, width)
    y, split = (np.array(words) for words in zip(*((picture.label, picture.part) for picture in found), strict=True))
    return {"x": x, "y": y} | ({"split": split} if len(set(split)) > 1 else {})


def read_pixels(path: str | Path, images: Sequence[str], mode: str, height: int, width: int) -> np.ndarray:
    """Some images of a zip as (rows, channels, height, width), uint8; arguments and errors as of `read_images`."""
    x = np.empty((len(images), 3 if mode == "RGB" else 1, height, width), np.uint8)
    with ZipFile(path) as archive:
        for row, image in enumerate(images):
            x[row] = _decoded(archive, image, mode, height, width)
    return x


def pixels(image: Image.Image, mode: str, height: int, width: int) -> np.ndarray:
    """An image as (channels, height, width), uint8: turned as its camera was held, resized if it has another size.

    Args:
        image: of an animation the first picture is taken; transparency is not.
        mode: "L" for one channel, "RGB" for three.
        height: in pixels.
        width: in pixels.
    """
    plain = ImageOps.exif_transpose(image).convert(mode)
    if plain.size != (width, height):
        plain = plain.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(plain).reshape(height, width, -1).transpose(2, 0, 1)


def _decoded(archive: ZipFile, path: str, mode: str, height: int, width: int) -> np.ndarray:
    try:
        return pixels(Image.open(io.BytesIO(archive.read(path)), formats=KINDS), mode, height, width)
    except (OSError, SyntaxError, ValueError, BadZipFile) as error:
        raise ValueError(f"{path!r} cannot be decoded ({error}); save it again") from error


def is_hidden(path: str) -> bool:
    """Whether a file was put into an archive by a Mac and not by a person, or is hidden."""
    return any(step.startswith(".") or step == "__MACOSX" for step in PurePosixPath(path).parts)


def _is_image(path: str) -> bool:
    return PurePosixPath(path).suffix.lower() in SUFFIXES and not is_hidden(path)


def _picture(path: str, below: PurePosixPath) -> Picture:
    *folders, _ = below.parts
    part = FOLDERS.get(folders[0].lower(), "") if folders else ""
    folders = folders[1:] if part else folders
    if not folders:
        raise ValueError(f"{path!r} lies in no folder of a class; put each image into the folder that is its class")
    return Picture(path, folders[0], part or "train")
