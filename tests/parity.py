"""A small file for every family of networks, and what its held-back rows are in the file's own words."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, mean_absolute_error, r2_score

from api_schemas.datasets import ColumnChoice, Dataset, Format
from api_schemas.texts import python_reference
from training.data.arrays import ARRAYS, inspect_arrays
from training.data.tables import Inspection, inspect
from training.data.text_files import inspect_text

ROWS = 160
TEST = slice(120, ROWS)
_PARTS = np.repeat(["train", "validation", "test"], [96, 24, 40])


CONTEXT = 32
PLACES = 8 * CONTEXT
"""So many tokens of the text are guessed in its test part."""


@dataclass(frozen=True)
class Case:
    """A file, a job on it, and its test rows."""

    form: Format
    content: Callable[[], bytes]
    spec: dict[str, Any]
    rows: Callable[[], dict[str, list[Any]]]
    """The test rows by raw column, the target among them."""
    test_file: Callable[[], bytes]
    """The test rows as a file of the same kind."""
    target: str
    """Empty for a text."""
    choices: tuple[ColumnChoice, ...] = ()

    @property
    def job(self) -> dict[str, Any]:
        """Long enough that running statistics are not what they begin as."""
        target = {"target": self.target} if self.target else {}
        return {**target, "training": {"epochs": 2, "batch_size": 16}, **self.spec}


@cache
def _table() -> dict[str, list[str]]:
    """Numbers of several scales with holes, dates, categories, whole numbers that are categories, two targets."""
    rng = np.random.default_rng(0)
    size, weight, colour = rng.normal(50, 20, ROWS), rng.exponential(1e4, ROWS), rng.integers(0, 3, ROWS)
    price = 3 * size + weight / 100 + 40 * colour
    return {
        "size": ["" if row % 7 == 3 else repr(float(size[row])) for row in range(ROWS)],
        "weight": [repr(float(number)) for number in weight],
        "colour": [["red", "dark green", "blue"][code] for code in colour],
        "month": [f"0{1 + row % 5}" for row in range(ROWS)],
        "when": [f"2024-{1 + row % 12:02}-{1 + row % 28:02}" for row in range(ROWS)],
        "sold": [["no", "yes"][int(number > np.median(price))] for number in price],
        "price": [repr(float(number)) for number in price],
        "part": _PARTS.tolist(),
    }


def _csv(rows: slice = slice(None)) -> bytes:
    lines = [",".join(cells) for cells in list(zip(*_table().values(), strict=True))[rows]]
    return "\n".join([",".join(_table()), *lines, ""]).encode()


def _cells() -> dict[str, list[Any]]:
    return {name: cells[TEST] for name, cells in _table().items()}


_CHOICES = (
    ColumnChoice(name="size", missing="indicator"),
    ColumnChoice(name="month", type="category", encode="embedding"),
    ColumnChoice(name="part", role="split"),
)


def _on_table(target: str, other: str, **spec: Any) -> Case:
    ignored = ColumnChoice(name=other, role="ignore")
    return Case("csv", _csv, spec, _cells, lambda: _csv(TEST), target, (*_CHOICES, ignored))


@cache
def _images() -> dict[str, np.ndarray]:
    pixels, digits = load_digits(return_X_y=True)
    return {"x": pixels[:ROWS].reshape(-1, 8, 8).astype(np.uint8), "y": digits[:ROWS], "split": _PARTS}


@cache
def _signals() -> dict[str, np.ndarray]:
    """Two features over 12 steps; the class is where the first one is loud."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(ROWS, 12, 2)), rng.integers(0, 3, ROWS)
    for row, place in enumerate(y):
        x[row, 4 * place : 4 * place + 4, 0] += 2
    return {"x": x.astype(np.float32), "y": y, "split": _PARTS}


def _on_arrays(arrays: Callable[[], dict[str, np.ndarray]], **spec: Any) -> Case:
    def content(part: slice = slice(None)) -> bytes:
        file = io.BytesIO()
        np.savez(file, **{name: array[part] for name, array in arrays().items()})
        return file.getvalue()

    def rows() -> dict[str, list[Any]]:
        return {name: array[TEST].tolist() for name, array in arrays().items()}

    return Case("npz", content, spec, rows, lambda: content(TEST), "y")


_BATCH_NORM = {"name": "batch_norm"}
_SMALL = {"width": 16, "heads": 2}
_NAMED_LAYERS = [
    {"name": "linear", "units": 16},
    {"name": "normalization", "normalization": _BATCH_NORM},
    {"name": "activation"},
    {"name": "linear"},
]


def _text() -> bytes:
    """A fifth of it is the test part: windows side by side, and the token behind the last one."""
    return python_reference(5 * (PLACES + 1))


def text_rows() -> str:
    """The test part of the text."""
    return _text()[-PLACES - 1 :].decode()


GPT = Case(
    "text",
    _text,
    {"model": {"name": "gpt", "context": CONTEXT, "layers": 1, **_SMALL}, "split": {"validation": 0.2, "test": 0.2}},
    dict,
    bytes,
    "",
)

CASES = {
    "linear": _on_table("price", "sold", model={"name": "linear"}, loss={"name": "mse"}),
    "mlp": _on_table("sold", "price", model={"name": "mlp", "normalization": _BATCH_NORM, "dropout": 0.3}),
    "mlp of numbers": _on_table("price", "sold", model={"name": "mlp", "normalization": _BATCH_NORM}),
    "layers": _on_table("sold", "price", model={"name": "layers", "layers": _NAMED_LAYERS}),
    "ft_transformer": _on_table("sold", "price", model={"name": "ft_transformer", "layers": 1, **_SMALL}),
    "tabm": _on_table("sold", "price", model={"name": "tabm", "hidden": [16], "networks": 4}),
    "cnn": _on_arrays(_images, model={"name": "cnn", "channels": [8], "normalization": _BATCH_NORM, "dropout": 0.3}),
    "resnet": _on_arrays(_images, model={"name": "resnet", "widths": [8], "blocks": 1}),
    "vit": _on_arrays(_images, model={"name": "vit", "layers": 1, **_SMALL}),
    "cnn of signals": _on_arrays(_signals, model={"name": "cnn", "channels": [8], "normalization": _BATCH_NORM}),
    "rnn": _on_arrays(_signals, model={"name": "rnn"}),
    "lstm": _on_arrays(_signals, model={"name": "lstm"}),
    "gru": _on_arrays(_signals, model={"name": "gru"}),
    "tcn": _on_arrays(_signals, model={"name": "tcn", "channels": [8], "normalization": _BATCH_NORM}),
    "transformer": _on_arrays(_signals, model={"name": "transformer", "layers": 1, **_SMALL}),
}


def written_file(case: Case, folder: Path) -> Path:
    """The case's file, in a folder."""
    path = folder / f"data.{'txt' if case.form == 'text' else case.form}"
    path.write_bytes(case.content())
    return path


def inspected(case: Case, path: Path) -> Inspection:
    """What a worker's reader finds in the case's file."""
    if case.form in ARRAYS:
        return inspect_arrays({path.name: path}, case.form, case.choices, case.target)
    if case.form == "text":
        return inspect_text({path.name: path})
    return inspect(path, case.form, case.choices, case.target)


def dataset_of(found: Inspection, form: Format) -> Dataset:
    """The dataset `ds_1` that a gateway would show of a file that was read."""
    about = {"id": "ds_1", "name": "data", "state": "ready", "terminal": True, "version": 1, "sha256": ""}
    about |= {"created_at": "2024-01-01T00:00:00Z", "bytes": 0, "format": form}
    shape = next((tuple(column.stats.shape) for column in found.columns if column.type == "array"), None)
    return Dataset.model_validate(about | {"rows": found.rows, "columns": found.columns, "array": shape})


def measured_of(case: Case, predictions: list[Any], probabilities: dict[str, list[float]]) -> dict[str, float]:
    """What the answers to the test rows are worth, under the keys of the training process."""
    truth = case.rows()[case.target]
    if not probabilities:
        numbers = [float(value) for value in truth]
        return {"test/mae": mean_absolute_error(numbers, predictions), "test/r2": r2_score(numbers, predictions)}
    classes = [str(value) for value in truth]
    likelihoods = [probabilities[name][row] for row, name in enumerate(classes)]
    return {"test/loss": -float(np.mean(np.log(likelihoods))), "test/accuracy": accuracy_score(classes, predictions)}
