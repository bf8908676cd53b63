"""The command on the catalog."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from api_schemas.catalog import CatalogEntry, Kind
from client.terminal import Terminal, terminal_of


def catalog(
    context: typer.Context,
    kind: Annotated[Kind | None, typer.Argument(help="Such as optimizers.")] = None,
    name: Annotated[str | None, typer.Argument(help="Such as adam.")] = None,
) -> None:
    """Show what a job can name: all of it, one kind, or one entry with its knobs."""
    terminal = terminal_of(context)
    with terminal.client() as client:
        if kind is not None and name is not None:
            _tell(terminal, client.catalog.entry(kind, name))
            return
        entries = client.catalog.all() if kind is None else client.catalog.kind(kind)
    if terminal.json:
        terminal.dump(entries)
    else:
        terminal.table(["kind", "name", "what it is"], ([each.kind, each.name, each.summary] for each in entries))


def _tell(terminal: Terminal, entry: CatalogEntry) -> None:
    if terminal.json:
        terminal.dump(entry)
        return
    terminal.print(entry.description)
    terminal.print(*(f"\n{text}" for text in (entry.formula, entry.paper) if text))
    if entry.knobs:
        terminal.print("")
        terminal.table(["knob", "default", "what it does"], map(_knob_row, entry.knobs, entry.knobs.values()))


def _knob_row(name: str, schema: dict[str, Any]) -> list[str]:
    return [name, str(schema.get("default", "required")), schema.get("description", "")]
