"""The zip that a model is handed out in, and the card that describes it."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import IO, Any

from api_schemas.datasets import Upload
from api_schemas.jobs import Job
from service.model_header import texts

_BEGINNING = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip knows: the same model is the same bytes."""

_CARD = """\
# {name}

A network trained by Anneal: job `{id}`.

{facts}

## Measured

{measured}

## Use

    from training.load import load

    model = load("{id}.zip")
    answer = model.predict({example})

`answer.predictions` are {answers}, one a row. `model` is a torch module: called with prepared rows it gives the
network's scores, and it can be trained on.

It needs `pip install anneal[worker]`, and neither a gateway nor the data.

## Columns

{columns}

## Files

| file | holds |
| --- | --- |
| model.safetensors | weights, preparation and spec: complete by itself |
| spec.json | the job, every default filled in |
| preparation.json | how raw columns become inputs; its fitted numbers are tensors of model.safetensors |
| README.md | this card |
"""


def write_archive(file: IO[bytes], job: Job, model: Path) -> None:
    """Write the zip of a job's model.

    Args:
        file: where it goes.
        job: that trained the model.
        model: its stored file.
    """
    preparation = texts(model)["preparation"]
    written = {
        "README.md": _card(job, json.loads(preparation)),
        "spec.json": job.spec.model_dump_json(indent=2) + "\n",
        "preparation.json": json.dumps(json.loads(preparation), indent=2) + "\n",
    }
    # Weights do not get smaller by being packed.
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, text in written.items():
            archive.writestr(zipfile.ZipInfo(name, _BEGINNING), text)
        whole = zipfile.ZipInfo("model.safetensors", _BEGINNING)
        whole.file_size = model.stat().st_size
        with model.open("rb") as stored, archive.open(whole, "w") as packed:
            shutil.copyfileobj(stored, packed, 1 << 20)


def _card(job: Job, preparation: dict[str, Any]) -> str:
    columns: list[dict[str, Any]] = preparation.get("columns", [])  # a language model has none
    shown = {column["name"]: [(column.get("categories") or [0.0])[0]] for column in columns[:3]}
    return _CARD.format(
        name=job.name,
        id=job.id,
        facts=_table(_facts(job, preparation)),
        measured=_table(
            [
                (key, f"{value.last:.6g}")
                for key, value in job.metrics.items()
                if _judged(key) and value.last is not None
            ]
        )
        or "Nothing: no row was held back to judge by.",
        example=json.dumps(shown)[:-1] + (", ...}" if len(columns) > len(shown) else "}"),
        answers="class names" if preparation.get("classes") else "numbers in the target's own unit",
        columns=_table([(column["name"], _kind(column)) for column in columns]),
    )


def _facts(job: Job, preparation: dict[str, Any]) -> list[tuple[str, str]]:
    spec, where = job.spec, job.environment
    data = f"upload `{spec.dataset.id}`" if isinstance(spec.dataset, Upload) else spec.dataset.name
    facts = [("data", data), ("network", spec.model.name), ("parameters", f"{job.parameters or 0:,}")]
    facts += [("predicts", preparation["target"])] if preparation.get("target") else []
    facts += [("classes", ", ".join(preparation["classes"]))] if preparation.get("classes") else []
    facts += [("weights, SHA-256", f"`{job.weights_sha256}`")]
    return facts + ([("trained with", f"torch {where.torch} on {where.device}")] if where else [])


def _judged(key: str) -> bool:
    return key.startswith(("val/", "test/"))


def _kind(column: dict[str, Any]) -> str:
    categories: list[str] | None = column.get("categories")
    return "a number" if categories is None else f"one of {', '.join(categories[:20])}"


def _table(rows: list[tuple[str, str]]) -> str:
    if not rows:
        return ""
    lines = [f"| {_cell(name)} | {_cell(value)} |" for name, value in rows]
    return "\n".join(["| | |", "| --- | --- |", *lines])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
