"""A trained model in formats that other programs run: ONNX, and programs of torch.export."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from training.data.prepare_text import TextPreparation
from training.model_file import load_model
from training.predict import Predictor

Format = Literal["onnx", "pt2"]
Answer = Callable[[Tensor], Tensor]
"""Prepared rows (rows, inputs) to probabilities (rows, classes) or scaled numbers (rows,)."""

TOLERANCE = 1e-4
"""How far an exported network may be off, relative to the size of its answers."""
_ROWS = 16


class NotExported(Exception):
    """The network cannot be written in this format, or answers differently in it; the message says which."""


class Answering(nn.Module):
    """A network with what its loss makes of scores.

    From prepared rows (rows, inputs) to probabilities (rows, classes), or to numbers (rows,) scaled as the target was.
    """

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.network = predictor.model
        self.loss = predictor.loss

    def forward(self, x: Tensor) -> Tensor:
        """Answers of prepared rows."""
        return self.loss.predict(self.network(x))


def export(path: Path, format: Format, output: Path) -> None:  # noqa: A002 - the contract's own word
    """Write a model in another format, and check that its answers stay the same.

    The file's metadata holds `spec`, `preparation` and `arrays` as JSON: all that leads from raw columns to the
    network's inputs, and from its answers to names and units; `training.load.load` reads them.

    Args:
        path: a model's file, as `training.model_file.save_model` wrote it.
        format: `onnx` or `pt2`.
        output: where it goes.

    Raises:
        NotExported: when the format has no place for what the network does, or the answers differ.
    """
    stored = load_model(path)
    if isinstance(stored.preparation, TextPreparation):
        raise NotExported("a language model is handed out as safetensors alone")
    predictor = Predictor(stored)
    model = Answering(predictor).eval()
    rows = example_rows(predictor)
    write = _write_onnx if format == "onnx" else _write_pt2
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it names libraries that are not needed here
    try:
        with warnings.catch_warnings(action="ignore"):  # of torch, about itself
            write(model, rows, output, metadata_of(predictor))
    except Exception as error:  # the exporters raise whatever their passes raise
        raise NotExported(f"this network cannot be written as {format}: {_first_line(error)}") from error
    _refuse_difference(model, rows, output, format)


def example_rows(predictor: Predictor) -> Tensor:
    """Rows (rows, inputs) as the network takes them: normal numbers, codes where it embeds categories, or tokens."""
    shape = predictor.preparation.shape
    generator = torch.Generator().manual_seed(0)
    if shape.tokens:
        length, vocabulary = shape.tokens
        return torch.randint(vocabulary, (_ROWS, length), generator=generator)
    rows = torch.randn(_ROWS, shape.width, generator=generator, dtype=torch.float64)
    for place, cardinality in shape.categories.items():
        rows[:, place] = torch.randint(cardinality, (_ROWS,), generator=generator).double()
    return rows.to(predictor.dtype)


def metadata_of(predictor: Predictor) -> dict[str, str]:
    """What leads from raw columns to the network and back, as texts."""
    preparation = predictor.preparation
    return {
        "spec": predictor.spec.model_dump_json(),
        "preparation": preparation.description.model_dump_json(),
        "arrays": json.dumps(
            {
                name: {"dtype": str(array.dtype), "values": array.tolist()}
                for name, array in preparation.arrays().items()
            }
        ),
    }


def run_onnx(path: Path) -> Answer:
    """A function that answers prepared rows (rows, inputs) by an ONNX file."""
    import onnxruntime  # noqa: PLC0415  # a tenth of a second and threads, which only a reader of such a file pays for

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()

    def answer(rows: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {entry.name: rows.numpy()})[0])

    return answer


def run_pt2(path: Path) -> Answer:
    """A function that answers prepared rows (rows, inputs) by a program of torch.export."""
    return torch.export.load(path).module()


def _write_onnx(model: nn.Module, rows: Tensor, output: Path, metadata: dict[str, str]) -> None:
    program = torch.onnx.export(
        model,
        (rows,),
        dynamo=True,
        input_names=["rows"],
        output_names=["answers"],
        dynamic_shapes=({0: torch.export.Dim("rows", min=1)},),
        verbose=False,
    )
    if program is None:
        raise NotExported("the exporter gave nothing back")
    program.model.metadata_props.update(metadata)
    program.save(output)


def _write_pt2(model: nn.Module, rows: Tensor, output: Path, metadata: dict[str, str]) -> None:
    program = torch.export.export(model, (rows,), dynamic_shapes=({0: torch.export.Dim("rows", min=1)},))
    with output.open("wb") as file:
        torch.export.save(program, file, extra_files=metadata)


@torch.inference_mode()
def _refuse_difference(model: nn.Module, rows: Tensor, output: Path, format_: Format) -> None:
    """Ask the file itself, for as many rows as it was made with and for one."""
    answer = run_onnx(output) if format_ == "onnx" else run_pt2(output)
    for some in (rows, rows[:1]):
        expected, got = model(some), answer(some)
        off = (got - expected).abs().max() / expected.abs().max().clamp(min=1)
        if not off <= TOLERANCE:
            raise NotExported(
                f"written as {format_} the network answers differently, by {off:.1e} of the size of its answers where "
                f"{TOLERANCE:g} is allowed; take format=safetensors"
            )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
