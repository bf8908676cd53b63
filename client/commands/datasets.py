"""The commands on datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api_schemas.datasets import Dataset
from api_schemas.formats import endings
from client.report import column_headers, column_row, dataset_headers, dataset_row
from client.terminal import Terminal, terminal_of

app = typer.Typer(help="Tables, arrays, images and texts to train on.", no_args_is_help=True)


@app.command()
def add(
    context: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(exists=True, dir_okay=False, help=f"By their names: {endings()}. Several are one dataset."),
    ],
    name: Annotated[str | None, typer.Option(help="For people; by default the first file's.")] = None,
    target: Annotated[str | None, typer.Option(help="The column to predict.")] = None,
    image_size: Annotated[
        tuple[int, int] | None, typer.Option(help="Height and width to which the images of a zip are resized.")
    ] = None,
) -> None:
    """Upload a table, arrays, images or a text and show what was read in them."""
    terminal = terminal_of(context)
    with terminal.client() as client:
        uploaded = client.datasets.upload(*files, name=name, target=target, image_size=image_size)
        dataset = client.datasets.wait(uploaded.id)
    _tell(terminal, dataset)


@app.command()
def fetch(
    context: typer.Context,
    url: Annotated[str, typer.Argument(help="A file on a host that the operator allows.")],
    name: Annotated[str | None, typer.Option(help="For people; by default the file's.")] = None,
    target: Annotated[str | None, typer.Option(help="The column to predict.")] = None,
    filename: Annotated[
        str | None, typer.Option(help="What the file is called, where the URL does not end with that.")
    ] = None,
) -> None:
    """Have a worker fetch a file and show what was read in it."""
    terminal = terminal_of(context)
    with terminal.client() as client:
        asked = client.datasets.fetch(url, filename=filename, name=name, target=target)
        dataset = client.datasets.wait(asked.id)
    _tell(terminal, dataset)


@app.command()
def ls(context: typer.Context, limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 20) -> None:
    """List uploaded datasets, newest first."""
    terminal = terminal_of(context)
    with terminal.client() as client:
        datasets = list(client.datasets.list(limit=limit))
    if terminal.json:
        terminal.dump(datasets)
    elif datasets:
        terminal.table(dataset_headers(), (dataset_row(dataset) for dataset in datasets))
    else:
        terminal.err.print("no datasets; upload one with: anneal datasets add data.csv")


def _tell(terminal: Terminal, dataset: Dataset) -> None:
    """Show what was read.

    Raises:
        typer.Exit: the command is at its end.
    """
    if terminal.json:
        terminal.dump(dataset)
    else:
        _show(terminal, dataset)
    raise typer.Exit(1 if dataset.state == "failed" else 0)


def _show(terminal: Terminal, dataset: Dataset) -> None:
    if dataset.error:
        terminal.err.print(f"{dataset.id} cannot be used:")
        terminal.faults([dataset.error])
        return
    terminal.print(dataset.id)
    if terminal.live:
        terminal.table(column_headers(), (column_row(column) for column in dataset.columns))
        terminal.err.print(f"{dataset.rows:,} rows; train with: anneal submit --dataset {dataset.id} --watch")
    terminal.faults(dataset.warnings)
