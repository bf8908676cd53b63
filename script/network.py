"""The part of a script that makes the network and its loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from api_schemas.catalog.call import Call, Name
from api_schemas.catalog.initializations import INITIALIZATION_ROWS
from script.page import Page
from script.subject import Subject


def write_network(page: Page, subject: Subject) -> None:
    """Write from the seed to `network` and `criterion`."""
    spec, shape = subject.spec, subject.shape
    moved = _moved(subject)
    page.heading("Network")
    network = page.line("network = ", spec.model.network(shape, subject.outputs), moved)
    page.code(f"torch.manual_seed({spec.training.seed})\n{network}")
    start = spec.model.initialize(Name("network"), Name(f"x_train[:{INITIALIZATION_ROWS}]"))
    if start is not None:
        page.code(page.line("", start))
    loss = subject.loss.call()
    if any(name.name == "class_counts" for name in _names_in(loss)):
        page.code(f"class_counts = y_train.bincount(minlength={subject.classes})")
    page.code(page.line("criterion = ", loss, moved if _has_arrays(loss) else ""))


def _moved(subject: Subject) -> str:
    if subject.on_gpu:
        return f".to(device, {subject.dtype})" if subject.dtype != "torch.float32" else ".to(device)"
    return ".double()" if subject.dtype == "torch.float64" else ""


def _has_arrays(loss: Call) -> bool:
    """Whether a loss holds numbers that have a type and a device: the weights of classes."""
    return loss.kwargs.get("class_weights") is not None


def _names_in(value: Any) -> Iterator[Name]:
    if isinstance(value, Name):
        yield value
    elif isinstance(value, Call):
        for item in (*value.args, *value.kwargs.values()):
            yield from _names_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _names_in(item)
