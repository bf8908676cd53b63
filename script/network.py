"""The part of a script that makes the network and its loss."""

from __future__ import annotations

from api_schemas.catalog.call import Call, Name
from api_schemas.catalog.initializations import INITIALIZATION_ROWS
from api_schemas.jobs import Init
from api_schemas.trained import trained_network
from script.page import Page
from script.subject import Subject
from script.text import names_in


def write_network(page: Page, subject: Subject) -> None:
    """Write from the seed to `network` and `criterion`."""
    spec, shape = subject.spec, subject.shape
    moved = _moved(subject)
    page.heading("Network")
    network = page.line("network = ", trained_network(spec, shape, subject.outputs), moved)
    page.code(f"torch.manual_seed({spec.training.seed})\n{network}")
    start = spec.model.initialize(Name("network"), Name(f"x_train[:{INITIALIZATION_ROWS}]"))
    if start is not None:
        page.code(page.line("", start))
    if spec.init:
        taken = (Name("network"), init_file(spec.init), list(spec.init.weights))
        page.code(page.line("", Call("training.transfer.take_weights", taken)))
    loss = spec.model.criterion(subject.loss)
    if "class_counts" in names_in(loss):
        classes = "y_train.cpu()" if subject.on_gpu else "y_train"
        page.code(f"class_counts = {classes}.bincount(minlength={subject.classes})")
    # The weights of classes have a type and a device; other losses hold plain numbers.
    weighted = any(call.kwargs.get("class_weights") is not None for call in (loss, *loss.args))
    device = "device, " if subject.on_gpu else ""
    page.code(page.line("criterion = ", loss, f".to({device}{subject.dtype})" if weighted else ""))


def init_file(init: Init) -> str:
    """The file that the network begins with, under the name that `anneal export` gives it."""
    return f"{init.job}.{init.checkpoint}.safetensors" if init.checkpoint else f"{init.job}.safetensors"


def _moved(subject: Subject) -> str:
    if subject.on_gpu:
        return f".to(device, {subject.dtype})" if subject.dtype != "torch.float32" else ".to(device)"
    return ".double()" if subject.dtype == "torch.float64" else ""
