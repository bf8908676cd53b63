"""The arithmetic of a job before it runs: fills in defaults, checks the spec against its data, counts the steps.

The gateway refuses with it what cannot train; the trainer lays out its run with the same numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from api_schemas.advice.prospect import Prospect
from api_schemas.advice.rules import advise
from api_schemas.catalog.datasets import NamedDatasetEntry
from api_schemas.catalog.layers import InputShape, Layer, as_image, parameter_count, parameter_shapes
from api_schemas.catalog.model_entry import Learned
from api_schemas.catalog.tokenizers import Text
from api_schemas.costs import memory_bytes, seconds, step_flops
from api_schemas.datasets import Column, Dataset, Upload
from api_schemas.encoding import embedded_values, embedding_width, inputs_of
from api_schemas.errors import Fault, InvalidRequest
from api_schemas.jobs import JobSpec, Plan
from api_schemas.settle import settle
from api_schemas.splits import part_rows
from api_schemas.step_faults import step_faults
from api_schemas.targets import class_counts, feature_columns, refuse_missing, target_column
from api_schemas.text import text_of, windows_in


@dataclass(frozen=True)
class Shape:
    """What a spec has to fit: the dataset as far as it matters before a row is read."""

    rows: int
    inputs: int
    """Width of the network's input, categories already spread out."""
    class_counts: tuple[int, ...]
    """Rows of each class; empty where the target is a number."""
    scale_ratio: float
    """Largest standard deviation of a feature over the smallest; 1 where no two are known."""
    window: int | None = None
    """Tokens that a row shows, where the rows above are the bytes of a text."""


def batches_per_epoch(rows: int, batch_size: int, drop_last: bool) -> int:
    """How many batches the training rows make; the last may be smaller, unless it is dropped then."""
    return rows // batch_size if drop_last else math.ceil(rows / batch_size)


def input_shape(spec: JobSpec, dataset: Dataset | None, width: int) -> InputShape:
    """What a network of this job sees of a row.

    Args:
        spec: as the client sent it, or settled.
        dataset: the upload that it names; None for a dataset named by name.
        width: how many numbers a row has once it is prepared; only an array of as many keeps its axes.
    """
    text, window = text_of(spec, dataset), spec.model.window
    if text and window:
        return InputShape(window, tokens=(window, spec.preprocessing.text.vocabulary(text)))
    named = None if isinstance(spec.dataset, Upload) else spec.dataset
    array = named.array if named else dataset.array if dataset else None
    if array and math.prod(array) == width:
        return InputShape(width, array)
    if dataset is None:
        return InputShape(width)
    codes = embedded_values(feature_columns(dataset, spec.target), spec.preprocessing)
    return InputShape(width, categories=codes, embedding_width=embedding_width(spec.preprocessing))


def output_width(spec: JobSpec, entering: InputShape, classes: int) -> int:
    """Width of the network's output, as the loss of a settled spec wants it; `classes` is 0 for numbers."""
    if spec.loss is None:
        raise ValueError("take the spec that make_plan settled")
    return spec.model.outputs(spec.loss, entering, classes)


def make_plan(spec: JobSpec, dataset: Dataset | None) -> Plan:
    """Fill in what the spec leaves open and check it against its data.

    Args:
        spec: as the client sent it.
        dataset: the upload that the spec names by id, ready; None for a dataset named by name.

    Raises:
        InvalidRequest: with a pointer for each thing that would keep the job from training.
    """
    spec, shape = _fit(spec, dataset)
    train, validation, test = part_sizes(spec, dataset, shape)
    spec = _with_a_batch_that_fits(spec, train)
    entering = input_shape(spec, dataset, shape.inputs)
    faults = _faults(spec, train, validation) + spec.model.faults(entering)
    if faults:
        raise InvalidRequest.of(faults)
    training = spec.training
    batches = batches_per_epoch(train, training.batch_size, training.drop_last)
    steps_per_epoch = math.ceil(batches / training.accumulate_batches)
    total_steps = steps_per_epoch * training.epochs
    network = spec.model.network(entering, output_width(spec, entering, len(shape.class_counts)))
    impossible = list(step_faults(spec, total_steps, steps_per_epoch, list(parameter_shapes(network))))
    if impossible:
        raise InvalidRequest.of(impossible)
    return Plan(
        spec=spec,
        train_rows=train,
        validation_rows=validation,
        test_rows=test,
        steps_per_epoch=steps_per_epoch,
        total_steps=total_steps,
        parameters=parameter_count(network),
        flops_per_step=step_flops(spec, network),
        memory_bytes=memory_bytes(spec, network, entering, shape.rows),
        seconds=round(seconds(spec, network, batches), 3),
        warnings=advise(Prospect(spec, train, steps_per_epoch, total_steps, entering, shape.scale_ratio)),
    )


def architecture(spec: JobSpec, dataset: Dataset | None) -> tuple[Layer, InputShape]:
    """The network of a spec that `make_plan` settled, before it is built, and what a row of its input is."""
    spec, shape = _fit(spec, dataset)
    entering = input_shape(spec, dataset, shape.inputs)
    return spec.model.network(entering, output_width(spec, entering, len(shape.class_counts))), entering


def part_sizes(spec: JobSpec, dataset: Dataset | None, shape: Shape) -> tuple[int, int, int]:
    """Rows that train, validate and test; of a text the windows in each part."""
    sizes = part_rows(spec.split, dataset.columns if dataset else (), shape.rows)
    if shape.window is None:
        return sizes
    windows = [windows_in(size, shape.window) for size in sizes]
    if any(size and not count for size, count in zip(sizes, windows, strict=True)):
        shown = ", ".join(str(size) for size in sizes if size)
        message = (
            f"a window of {shape.window} tokens and the next one does not fit into every part of this text, which have "
            f"{shown} bytes; use a shorter context"
        )
        raise InvalidRequest.at("/model/context", "context_too_long", message)
    return windows[0], windows[1], windows[2]


def _fit(spec: JobSpec, dataset: Dataset | None) -> tuple[JobSpec, Shape]:
    """The spec with what its data decides filled in, and what of the data it has to fit."""
    text = text_of(spec, dataset)
    if text:
        return _fit_text(spec, text)
    if not isinstance(spec.dataset, Upload):
        return _fit_named(spec, spec.dataset)
    if dataset is None:
        raise ValueError("a spec that names an upload needs its dataset")
    return _fit_upload(spec, dataset)


def _fit_text(spec: JobSpec, text: Text) -> tuple[JobSpec, Shape]:
    if spec.target is not None:
        message = "the target of a text is its next token; leave `target` out"
        raise InvalidRequest.at("/target", "target_is_fixed", message)
    if spec.model.window is None:
        message = (
            f"this dataset is a text, and {spec.model.name!r} reads columns of numbers; use gpt, or upload a table "
            "under a name such as data.csv"
        )
        raise InvalidRequest.at("/model/name", "needs_columns", message)
    vocabulary = spec.preprocessing.text.vocabulary(text)
    shape = Shape(text.bytes, spec.model.window, (0,) * vocabulary, 1.0, spec.model.window)
    return settle(spec, None, vocabulary, learned="next_token"), shape


def _fit_named(spec: JobSpec, entry: NamedDatasetEntry) -> tuple[JobSpec, Shape]:
    if spec.target is not None:
        raise InvalidRequest.at(
            "/target", "target_is_fixed", f"dataset {entry.name!r} has its own target; leave `target` out"
        )
    learned = _learned(spec)
    classes = entry.class_counts if entry.task == "classification" and learned == "target" else ()
    shape = Shape(entry.rows, entry.features, classes, entry.scale_ratio)
    return settle(spec, None, len(classes), as_image(entry.array), learned=learned), shape


def _fit_upload(spec: JobSpec, dataset: Dataset) -> tuple[JobSpec, Shape]:
    learned = _learned(spec)
    named = target_column(spec, dataset, needed=learned == "target")
    name, target = (named.name, named if learned == "target" else None) if named else (None, None)
    features = feature_columns(dataset, name)
    if not features:
        raise InvalidRequest.at("/dataset", "no_features", "no column is left to learn from beside the target")
    refuse_missing(target, features)
    counts = class_counts(spec.loss, target) if target else ()
    inputs = sum(inputs_of(column, spec.preprocessing) for column in features)
    shape = Shape(dataset.rows or 0, inputs, counts, _scale_ratio(features))
    image = input_shape(spec, dataset, inputs).image
    return settle(spec, name, len(counts), image, dataset.columns, learned=learned), shape


def _learned(spec: JobSpec) -> Learned:
    """What is learned of rows of numbers; a model of text is refused for another reason."""
    return "inputs" if spec.model.learns == "inputs" else "target"


def _scale_ratio(features: list[Column]) -> float:
    """Largest standard deviation over the smallest, of the columns of numbers that are not constant."""
    spreads = [column.stats.std for column in features if column.type == "numeric" and column.stats.std]
    return max(spreads) / min(spreads) if spreads else 1.0


def _with_a_batch_that_fits(spec: JobSpec, train: int) -> JobSpec:
    """The same, but with all rows in a batch where the default, which nobody asked for, is more."""
    training = spec.training
    if "batch_size" in training.model_fields_set or not 0 < train < training.batch_size:
        return spec
    return spec.model_copy(update={"training": training.model_copy(update={"batch_size": train})})


def _faults(spec: JobSpec, train: int, validation: int) -> list[Fault]:
    batch = spec.training.batch_size
    if train < 1:
        return [
            Fault(
                pointer="/split",
                code="no_training_rows",
                message="validation and test together leave no row to train on; make them smaller",
            )
        ]
    if batch > train:
        return [
            Fault(
                pointer="/training/batch_size",
                code="batch_too_large",
                message=f"a batch of {batch} is larger than the {train} training rows; use at most {train}",
            )
        ]
    faults: list[Fault] = []
    alone = batch == 1 or (train % batch == 1 and not spec.training.drop_last)
    if spec.model.uses_batch_statistics and alone:
        remedy = (
            "use batches of at least 2"
            if batch == 1
            else f"set `drop_last`, or a batch_size such as {_without_single_row(train, batch)}"
        )
        faults.append(
            Fault(
                pointer="/training/batch_size",
                code="batch_of_one",
                message=f"batch norm cannot normalise a batch of one row, and {train} training rows in batches of "
                f"{batch} {'are such' if batch == 1 else 'leave one'}; {remedy}",
            )
        )
    if spec.training.early_stopping and not validation:
        faults.append(
            Fault(
                pointer="/training/early_stopping",
                code="no_validation_rows",
                message="early stopping needs validation rows; set split.validation above 0",
            )
        )
    if spec.training.keep == "best" and not validation:
        faults.append(
            Fault(
                pointer="/training/keep",
                code="no_validation_rows",
                message="which weights are best is judged by validation rows; set split.validation above 0, or keep "
                "the last",
            )
        )
    return faults


def _without_single_row(rows: int, batch: int) -> int:
    """The batch size nearest to the asked one that leaves no single row over."""
    near = (size for distance in range(1, rows) for size in (batch - distance, batch + distance))
    return next((size for size in near if 2 <= size <= rows and rows % size != 1), rows)
