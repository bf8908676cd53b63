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

_ROWS = """\
    from training.load import load

    model = load("{id}.zip")
    answer = model.predict({example})

`answer.predictions` are {answers}, one a row.
`model` is a torch module: called with prepared rows it gives the network's scores, and it can be trained on."""

_TEXT = """\
    from training.predict_text import Writer

    writer = Writer.load("{id}.zip")
    text = writer.write({example}, length=200, temperature=0.8)

`text` is what may follow the prompt; only the last {context} tokens of that are seen. `writer.model` is a torch module:
called with tokens it gives the scores of those that may come next, and it can be trained on."""

_CARD = """\
# {name}

A network trained by Anneal: job `{id}`.

{facts}

## Measured

{measured}

## Use

{use}

It needs `pip install anneal[worker]`, and neither a gateway nor the data.

{columns}## Files

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
        use=_use(job, preparation),
        columns=f"## Columns\n\n{_table([(column['name'], _kind(column)) for column in columns])}\n\n"
        if columns
        else "",
    )


def _use(job: Job, preparation: dict[str, Any]) -> str:
    """The lines of Python that ask the model."""
    columns: list[dict[str, Any]] | None = preparation.get("columns")
    if columns is None:
        return _TEXT.format(id=job.id, example=_literal(_prompt(preparation)), context=preparation["context"])
    shown = ", ".join(f"{_literal(column['name'])}: [{_value(column)}]" for column in columns[:3])
    return _ROWS.format(
        id=job.id,
        example=f"{{{shown}, ...}}" if len(columns) > 3 else f"{{{shown}}}",
        answers=_answers(job, preparation),
    )


def _answers(job: Job, preparation: dict[str, Any]) -> str:
    """What a prediction is."""
    if job.spec.model.learns == "inputs":
        return "errors, `answer.codes` the codes and `answer.reconstructions` what the rows came back as"
    return "class names" if preparation["classes"] else "numbers in the target's own unit"


def _prompt(preparation: dict[str, Any]) -> str:
    """How a text may begin; characters that the network never met are no tokens of some."""
    usual = "Once upon a time"
    if preparation["tokenizer"]["name"] != "characters" or set(usual) <= set(preparation["held"]):
        return usual
    return preparation["held"][:8]


def _value(column: dict[str, Any]) -> str:
    """Something that the column may hold, in Python."""
    if column["size"] > 1:
        return f"[0.0] * {column['size']}"
    return _literal("2024-12-31" if column["dates"] else (column["categories"] or [0.0])[0])


def _literal(value: str | float) -> str:
    return json.dumps(value, ensure_ascii=False)


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
    categories: list[str] | None = column["categories"]
    if categories is not None:
        return f"one of {', '.join(categories[:20])}"
    if column["size"] > 1:
        return f"{column['size']:,} numbers, flat or in the axes of the dataset"
    return "a date" if column["dates"] else "a number"


def _table(rows: list[tuple[str, str]]) -> str:
    if not rows:
        return ""
    lines = [f"| {_cell(name)} | {_cell(value)} |" for name, value in rows]
    return "\n".join(["| | |", "| --- | --- |", *lines])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
