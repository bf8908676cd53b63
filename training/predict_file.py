"""Predictions for the rows of a file, written beside what the file holds."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import polars as pl

from api_schemas.datasets import Format
from api_schemas.errors import Fault, InvalidRequest
from training.data.reading import Cells, read
from training.predict import Predictor


def predict_file(
    predictor: Predictor,
    path: Path,
    format: Format,  # noqa: A002 - the contract's own word
    output: Path,
    written: Literal["csv", "jsonl"] = "csv",
) -> None:
    """Write a file's rows with the column `prediction`, and `probability_<class>` for each class.

    Args:
        predictor: whose answers are asked for.
        path: a table with a header; columns that the model does not need are only handed on.
        format: what the table is.
        output: where the answers go.
        written: how: CSV, or one JSON object a line.

    Raises:
        training.data.reading.UnreadableTable: when the file is no table.
        InvalidRequest: when a column is missing in it or holds what the model cannot read.
    """
    cells = read(path, format)
    try:
        said = predictor.predict(_with_points(cells, predictor))
    except InvalidRequest as error:
        raise InvalidRequest.of([_in_file(fault, cells) for fault in error.faults]) from error
    answers = {"prediction": said.predictions}
    answers |= {f"probability_{name}": share for name, share in said.probabilities.items()}
    frame = pl.DataFrame([_whole(column).alias(name) for name, column in cells.columns.items()])
    frame = frame.with_columns(pl.Series(_free(name, frame.columns), values) for name, values in answers.items())
    frame.write_csv(output) if written == "csv" else frame.write_ndjson(output)


def _with_points(cells: Cells, predictor: Predictor) -> dict[str, pl.Series]:
    """The cells by column; in a file that writes 3,5 for three and a half, numbers with a point."""
    if not cells.decimal_comma:
        return cells.columns
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


def _in_file(fault: Fault, cells: Cells) -> Fault:
    """A fault of one value, with the row that it has in the file, counted from 1 below the header."""
    place = fault.pointer.rpartition("/")[2]
    if fault.pointer.count("/") < 3 or not place.isdecimal():
        return fault.model_copy(update={"pointer": "/file"})
    message = f"row {cells.row_numbers[int(place)]}: {fault.message}"
    return fault.model_copy(update={"pointer": "/file", "message": message})


def _free(name: str, taken: list[str]) -> str:
    """A name that no column of the file has."""
    while name in taken:
        name += "_"
    return name
