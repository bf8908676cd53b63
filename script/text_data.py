"""The part of a script that loads a text and cuts it into windows of tokens."""

from __future__ import annotations

from api_schemas.catalog.call import Call, Name
from api_schemas.splits import split_sizes
from script.arguments import write_arguments
from script.page import Page
from script.subject import Subject


def write_text(page: Page, subject: Subject) -> None:
    """Write from the file or generator to the tensors `x_train`, `y_train` and those of the other parts."""
    page.heading("Data")
    if subject.named:
        page.code(page.line("text = ", subject.named.call()))
    elif subject.dataset:
        write_arguments(page, subject.dataset)
        page.code(page.line("text = ", Call("training.data.text_files.read_texts", (Name("sys.argv[1:]"),))))
    page.heading("Tokens, learned from the training part alone")
    page.code("\n".join(_parts(page, subject)))


def _parts(page: Page, subject: Subject) -> list[str]:
    if subject.text is None:
        raise TypeError("no text to cut")
    page.imports.module("torch")
    plan, split = subject.plan, subject.spec.split
    train, validation, _ = split_sizes(subject.text.bytes, split.validation, split.test)
    entry = subject.spec.preprocessing.text
    lines = [page.line("tokenizer = ", entry.fit(Name("text"), Name(f"text[:{train}]")))]
    pieces = {
        "train": (f"text[:{train}]", plan.train_rows),
        "validation": (f"text[{train}:{train + validation}]", plan.validation_rows),
        "test": (f"text[{train + validation}:]", plan.test_rows),
    }
    for name, (piece, count) in pieces.items():
        if count:
            lines += _windows(page, subject, name, piece, count)
    return lines


def _windows(page: Page, subject: Subject, name: str, piece: str, count: int) -> list[str]:
    device = ".to(device)" if subject.on_gpu else ""
    tokens = Name(f"tokenizer.encode({piece})")
    rows = Call("training.language.windows", (tokens, count, subject.shape.width + 1))
    return [
        page.line("rows = ", Call("torch.from_numpy", (rows,)), device),
        f"x_{name}, y_{name} = rows[:, :-1], rows[:, 1:]",
    ]
