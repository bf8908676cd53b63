"""The files that a script is given on its command line."""

from __future__ import annotations

import re

from api_schemas.datasets import Dataset, Format
from script.page import Page

_ENDINGS: dict[Format, str] = {"text": "txt", "images": "zip"}


def write_arguments(page: Page, dataset: Dataset) -> None:
    """Write that as many files are needed as were uploaded."""
    page.imports.module("sys")
    page.code(
        f"""
if len(sys.argv) != {1 + max(1, len(dataset.files))}:
    raise SystemExit(f"usage: python {{sys.argv[0]}} {example(dataset)}")
"""
    )


def example(dataset: Dataset) -> str:
    """What the uploaded files may be called; where there are several, a name tells what is in a file."""
    if len(dataset.files) > 1:
        return " ".join(re.sub(r"[^\w.-]", "_", file.name) for file in dataset.files)
    return f"data.{_ENDINGS.get(dataset.format, dataset.format)}"
