"""The commands on trained models."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from api_schemas.model_tasks import ModelFormat, TableFormat
from api_schemas.models import RegisteredModel
from client.commands.options import JobId
from client.terminal import Terminal, terminal_of

app = typer.Typer(help="Names of trained models.", no_args_is_help=True)

Reference: TypeAlias = Annotated[
    str, typer.Argument(metavar="MODEL", help="A job's id, or a name: wine, wine@3, wine@champion.")
]


def predict(
    context: typer.Context,
    model: Reference,
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="A table with the columns it learned from.")
    ],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it to this file.")] = None,
    format_: Annotated[TableFormat, typer.Option("--format", help="How the answers are written.")] = "csv",
) -> None:
    """Predict the rows of a file; they come back with the answers in further columns.

    anneal predict wine@champion new.csv > answers.csv
    """
    terminal = terminal_of(context)
    with terminal.client() as client:
        if output is not None:
            client.models.predict_file(model, file, output, written=format_)
            return
        with tempfile.TemporaryDirectory() as folder:
            answers = client.models.predict_file(model, file, Path(folder) / "answers", written=format_)
            terminal.write(answers.read_text(encoding="utf-8"))


def export(
    context: typer.Context,
    model: Reference,
    format_: Annotated[ModelFormat, typer.Option("--format", help="What to write.")] = "safetensors",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="By default MODEL.FORMAT, here.")] = None,
    checkpoint: Annotated[
        Literal["best", "last"] | None,
        typer.Option(help="Of a job: a checkpoint that it keeps, by default as ID.CHECKPOINT.safetensors."),
    ] = None,
) -> None:
    """Write a trained model to a file that works without Anneal's servers.

    anneal export wine@champion --format onnx -o wine.onnx
    """
    if checkpoint and format_ != "safetensors":
        raise typer.BadParameter("a checkpoint is written as safetensors only", param_hint="--format")
    terminal = terminal_of(context)
    with terminal.client() as client:
        if checkpoint:
            output = output or Path(f"{model}.{checkpoint}.safetensors")
            path = client.jobs.download_checkpoint(model, output, checkpoint)
        else:
            path = client.models.download(model, output or Path(f"{model}.{format_}"), format_)
    terminal.print(str(path))


@app.command()
def put(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Lower case letters, digits, - and _.")],
    job_id: JobId,
    aliases: Annotated[
        list[str] | None, typer.Option("--alias", help="A name for this version, such as champion; again for more.")
    ] = None,
) -> None:
    """Point a name at a job's model: its next version, unless it is one already.

    anneal models put wine ID --alias champion
    """
    terminal = terminal_of(context)
    with terminal.client() as client:
        model = client.models.put(name, job_id, aliases or [])
    if terminal.json:
        terminal.dump(model)
    else:
        _tell(terminal, [model])


@app.command()
def ls(
    context: typer.Context, limit: Annotated[int, typer.Option(min=1, help="At most this many names.")] = 20
) -> None:
    """List names and their versions, newest first."""
    terminal = terminal_of(context)
    with terminal.client() as client:
        models = list(client.models.list(limit=limit))
    if terminal.json:
        terminal.dump(models)
    elif models:
        _tell(terminal, models)
    else:
        terminal.err.print("no names; give one with: anneal models put NAME ID")


@app.command()
def rm(context: typer.Context, model: Annotated[str, typer.Argument(help="A name, or one version: wine@3.")]) -> None:
    """Forget a name, or one version of it; the job and its model stay."""
    terminal = terminal_of(context)
    with terminal.client() as client:
        client.models.delete(model)


def _tell(terminal: Terminal, models: list[RegisteredModel]) -> None:
    rows = [
        [f"{model.name}@{version.version}", ", ".join(version.aliases), version.job]
        for model in models
        for version in model.versions
    ]
    terminal.table(["model", "aliases", "job"], rows)
