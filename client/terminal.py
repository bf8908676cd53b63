"""What every command shares: where the gateway is, and how to write to this terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

from api_schemas.errors import AnnealError, Fault
from client.api import Client
from client.curl import CurlTransport

RETRIES = 2
"""A person at a terminal would rather be told soon that there is no gateway."""

Cell = str | Text


@dataclass(frozen=True)
class Terminal:
    """The options that stand before every command, and the two streams."""

    url: str | None = None
    key: str | None = None
    json: bool = False
    """Answers as JSON, for programs."""
    curl: bool = False
    """Show the curl command instead of sending anything."""
    out: Console = field(default_factory=lambda: Console(highlight=False, soft_wrap=True))
    err: Console = field(default_factory=lambda: Console(stderr=True, highlight=False, soft_wrap=True))

    def client(self) -> Client:
        """A client of the gateway that the options name."""
        return Client(self.url, self.key, retries=RETRIES, transport=CurlTransport() if self.curl else None)

    @property
    def live(self) -> bool:
        """Whether somebody watches: then output may move."""
        return self.out.is_terminal and not self.json

    def print(self, *lines: Cell) -> None:
        """Write lines as they are: brackets in a job's name are no markup, a tab in a pipe stays one."""
        for line in lines:
            if self.out.is_terminal:
                self.out.print(line, markup=False)
            else:
                print(line, file=self.out.file)

    def write(self, text: str) -> None:
        """Write a text that ends its own lines, neither wrapped nor coloured."""
        self.out.file.write(text)

    def dump(self, value: BaseModel | Sequence[BaseModel]) -> None:
        """Write JSON: indented for people, in one line for a pipe."""
        plain: Any = (
            value.model_dump(mode="json")
            if isinstance(value, BaseModel)
            else [element.model_dump(mode="json") for element in value]
        )
        self.print(json.dumps(plain, ensure_ascii=False, indent=2 if self.out.is_terminal else None))

    def table(self, headers: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
        """Write a table; for a pipe one line a row, cells between tabs, no headers."""
        if not self.out.is_terminal:
            self.print(*("\t".join(str(cell) for cell in row) for row in rows))
            return
        table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), show_header=any(headers))
        for header in headers:
            table.add_column(header, overflow="fold")
        for row in rows:
            table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
        self.out.print(table, soft_wrap=False)

    def pairs(self, rows: Iterable[tuple[str, Cell]]) -> None:
        """Write names and values, one pair a line."""
        self.table(["", ""], ([Text(name, "dim"), value] for name, value in rows))

    def fail(self, error: AnnealError) -> None:
        """Say an error: one sentence, or each fault with its place, of which the sentence is the sum."""
        self.err.print(Text.assemble(("error: ", "bold red"), error.title if error.faults else error.detail))
        self.faults(error.faults)
        for note in getattr(error, "__notes__", []) if error.status >= 500 else []:
            self.err.print(Text(f"  {note}", "dim"))

    def faults(self, faults: Sequence[Fault]) -> None:
        """Say what is wrong or unwise, each with its place."""
        for fault in faults:
            self.err.print(Text.assemble("  ", (fault.pointer or "/", "bold"), f": {fault.message}"))


def terminal_of(context: typer.Context) -> Terminal:
    """The terminal that the options before the command made."""
    return context.ensure_object(Terminal)
