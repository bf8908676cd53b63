"""A trained model in formats that other programs run: ONNX, and programs of torch.export."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.export import Dim

from training.data.prepare_text import TextPreparation
from training.model_file import StoredModel, load_model
from training.predict import Predictor
from training.predict_text import Writer

Format = Literal["onnx", "pt2"]
Answer = Callable[[Tensor], Tensor]
"""Prepared rows (rows, inputs) to probabilities (rows, classes) or scaled numbers (rows,); of a language model tokens
(rows, length) to scores (rows, length, vocabulary)."""

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


@dataclass(frozen=True)
class _Program:
    """What is written: a network in test mode, and what it takes and gives."""

    model: nn.Module
    rows: Tensor
    """Inputs that it is followed with."""
    axes: Mapping[int, Dim]
    """Those of the inputs that may have another length."""
    fewer: Tensor
    """Inputs where each of these axes is shorter."""
    names: tuple[str, str]
    """Of what comes in and what goes out."""
    metadata: dict[str, str]


def export(path: Path, format: Format, output: Path) -> None:  # noqa: A002 - the contract's own word
    """Write a model in another format, and check that its answers stay the same.

    A model of columns takes prepared rows (rows, inputs) to what `Answering` says of them. A language model takes
    tokens (rows, length), no more of them than its context has places, to scores (rows, length, vocabulary) of the
    token that comes after each.

    The file's metadata holds `spec`, `preparation` and `arrays` as JSON: all that leads from raw columns to the
    network's inputs, and from its answers to names and units, or from text to tokens; `training.load.load` reads them.

    Args:
        path: a model's file, as `training.model_file.save_model` wrote it.
        format: `onnx` or `pt2`.
        output: where it goes.

    Raises:
        NotExported: when the format has no place for what the network does, or the answers differ.
    """
    program = _program(load_model(path))
    write = _write_onnx if format == "onnx" else _write_pt2
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it names libraries that are not needed here
    try:
        with warnings.catch_warnings(action="ignore"):  # of torch, about itself
            write(program, output)
    except Exception as error:  # the exporters raise whatever their passes raise
        raise NotExported(f"this network cannot be written as {format}: {_first_line(error)}") from error
    _refuse_difference(program, output, format)


def _program(stored: StoredModel) -> _Program:
    return _of_text(stored) if isinstance(stored.preparation, TextPreparation) else _of_columns(stored)


def _of_columns(stored: StoredModel) -> _Program:
    predictor = Predictor(stored)
    rows, axes = _example_rows(predictor), {0: Dim("rows", min=1)}
    return _Program(Answering(predictor).eval(), rows, axes, rows[:1], ("rows", "answers"), _metadata(stored))


def _of_text(stored: StoredModel) -> _Program:
    writer = Writer(stored)
    context, vocabulary = writer.tokens.context, writer.tokens.vocabulary
    tokens = torch.randint(vocabulary, (_ROWS, context), generator=torch.Generator().manual_seed(0))
    axes = {0: Dim("rows", min=1), 1: Dim("length", min=1, max=context)}
    return _Program(writer.model, tokens, axes, tokens[:1, : context // 2], ("tokens", "scores"), _metadata(stored))


def _example_rows(predictor: Predictor) -> Tensor:
    """Rows (rows, inputs) as the network takes them: normal numbers, and codes where it embeds categories."""
    shape = predictor.preparation.shape
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(_ROWS, shape.width, generator=generator, dtype=torch.float64)
    for place, cardinality in shape.categories.items():
        rows[:, place] = torch.randint(cardinality, (_ROWS,), generator=generator).double()
    return rows.to(predictor.dtype)


def _metadata(stored: StoredModel) -> dict[str, str]:
    """What leads from raw columns or text to the network and back, as texts."""
    preparation = stored.preparation
    return {
        "spec": stored.spec.model_dump_json(),
        "preparation": preparation.description.model_dump_json(),
        "arrays": json.dumps(
            {
                name: {"dtype": str(array.dtype), "values": array.tolist()}
                for name, array in preparation.arrays().items()
            }
        ),
    }


def run_onnx(path: Path) -> Answer:
    """A function that answers prepared rows or tokens by an ONNX file."""
    import onnxruntime  # noqa: PLC0415  # a tenth of a second and threads, which only a reader of such a file pays for

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()

    def answer(rows: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {entry.name: rows.numpy()})[0])

    return answer


def run_pt2(path: Path) -> Answer:
    """A function that answers prepared rows or tokens by a program of torch.export."""
    return torch.export.load(path).module()


def _write_onnx(program: _Program, output: Path) -> None:
    entry, answer = program.names
    written = torch.onnx.export(
        program.model,
        (program.rows,),
        dynamo=True,
        input_names=[entry],
        output_names=[answer],
        dynamic_shapes=(program.axes,),
        verbose=False,
    )
    if written is None:
        raise NotExported("the exporter gave nothing back")
    written.model.metadata_props.update(program.metadata)
    written.save(output)


def _write_pt2(program: _Program, output: Path) -> None:
    written = torch.export.export(program.model, (program.rows,), dynamic_shapes=(program.axes,))
    with output.open("wb") as file:
        torch.export.save(written, file, extra_files=program.metadata)


@torch.inference_mode()
def _refuse_difference(program: _Program, output: Path, format_: Format) -> None:
    """Ask the file itself, for as many rows as it was made with and for fewer."""
    answer = run_onnx(output) if format_ == "onnx" else run_pt2(output)
    for some in (program.rows, program.fewer):
        expected, got = program.model(some), answer(some)
        off = (got - expected).abs().max() / expected.abs().max().clamp(min=1)
        if not off <= TOLERANCE:
            raise NotExported(
                f"written as {format_} the network answers differently, by {off:.1e} of the size of its answers where "
                f"{TOLERANCE:g} is allowed; take format=safetensors"
            )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
