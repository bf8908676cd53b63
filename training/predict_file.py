"""Predictions for the rows of a file, written beside what the file holds."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import polars as pl

from api_schemas.datasets import Format
from api_schemas.errors import Fault, InvalidRequest
from training.data.arrays import ARRAYS, UploadedArrays, read_arrays
from training.data.images import read_loose_images
from training.data.raw import RawTable
from training.data.reading import read
from training.data.refusal import Limits
from training.predict import Predictions, Predictor


def predict_file(
    predictor: Predictor,
    path: Path,
    format: Format,  # noqa: A002 - the contract's own word
    output: Path,
    written: Literal["csv", "jsonl"] = "csv",
) -> None:
    """Write a file's rows with the column `prediction`, and `probability_<class>` for each class.

    Of an autoencoder the prediction is the error, and there are `code_<n>` from 1 on and `reconstruction_<column>`.

    Args:
        predictor: whose answers are asked for.
        path: a table with a header, arrays named as those of the dataset were, or a zip of images; columns that the
            model does not need are only handed on, and arrays are left out of the answer.
        format: what the file is.
        output: where the answers go.
        written: how: CSV, or one JSON object a line.

    Raises:
        training.data.refusal.UnreadableTable: when the file cannot be read.
        InvalidRequest: when a column is missing in it or holds what the model cannot read.
    """
    cells = _read(predictor, path, format)
    try:
        said = predictor.predict(_values(cells, predictor))
    except InvalidRequest as error:
        raise InvalidRequest.of([_in_file(fault, cells) for fault in error.faults]) from error
    given = [_whole(column).alias(name) for name, column in cells.columns.items()]
    answers = (pl.Series(_free(name, cells.columns), answer) for name, answer in _answers(said, predictor).items())
    frame = pl.DataFrame([*given, *answers])
    frame.write_csv(output) if written == "csv" else frame.write_ndjson(output)


def _answers(said: Predictions, predictor: Predictor) -> dict[str, Sequence[Any]]:
    """The columns that a prediction adds; an array that came back is none."""
    arrays = {column.name for column in predictor.preparation.description.columns if column.size > 1}
    came_back = {name: cells for name, cells in said.reconstructions.items() if name not in arrays}
    return {
        "prediction": said.predictions,
        **{f"probability_{name}": share for name, share in said.probabilities.items()},
        **{f"code_{place}": numbers for place, numbers in enumerate(zip(*said.codes, strict=True), 1)},
        **{f"reconstruction_{name}": cells for name, cells in came_back.items()},
    }


def _read(predictor: Predictor, path: Path, format_: Format) -> RawTable:
    """What stands in a file, whichever kind it is."""
    if format_ == "images":
        return _images(predictor, path)
    if format_ in ARRAYS:
        target = predictor.preparation.description.target
        return read_arrays(UploadedArrays({path.name: path}, (), target, Limits()), format_)
    return read(path, format_)


def _images(predictor: Predictor, path: Path) -> RawTable:
    """The images of a zip under the name of the model's column of arrays, and their paths as the column `path`."""
    (column, *others), image = predictor.preparation.description.columns, predictor.preparation.shape.image
    if others or image is None or column.size != math.prod(image) or image[0] not in (1, 3):
        message = "this model does not read images; send a table or arrays with columns as its dataset has them"
        raise InvalidRequest.at("/file", "reads_no_images", message)
    paths, pixels = read_loose_images(path, image, Limits())
    rows = pl.Series(range(1, len(paths) + 1), dtype=pl.UInt32)
    return RawTable({"path": pl.Series(paths)}, rows, arrays={column.name: pixels})


def _values(cells: RawTable, predictor: Predictor) -> Mapping[str, Sequence[Any] | pl.Series]:
    """The cells by column; in a file that writes 3,5 for three and a half, numbers with a point."""
    if not cells.decimal_comma:
        return {name: list(array) for name, array in cells.arrays.items()} | cells.columns
    numbers = {column.name for column in predictor.preparation.description.columns if column.categories is None}
    return {
        name: values.str.replace(",", ".", literal=True) if name in numbers and values.dtype == pl.String else values
        for name, values in cells.columns.items()
    }


def _whole(values: pl.Series) -> pl.Series:
    """A column as it is written: 3 where every number is whole, not 3.0."""
    if values.dtype != pl.Float64:
        return values
    whole = values.cast(pl.Int64, strict=False)
    return whole if whole.cast(pl.Float64).equals(values) else values


def _in_file(fault: Fault, cells: RawTable) -> Fault:
    """A fault of one value, with the row that it has in the file, counted from 1 below the header."""
    place = fault.pointer.rpartition("/")[2]
    if fault.pointer.count("/") < 3 or not place.isdecimal():
        return fault.model_copy(update={"pointer": "/file"})
    message = f"row {cells.row_numbers[int(place)]}: {fault.message}"
    return fault.model_copy(update={"pointer": "/file", "message": message})


def _free(name: str, taken: Collection[str]) -> str:
    """A name that no column of the file has."""
    while name in taken:
        name += "_"
    return name
