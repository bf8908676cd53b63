"""Arguments that several commands share."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

JobId: TypeAlias = Annotated[str, typer.Argument(metavar="ID", help="The job's id, as `anneal ls` shows it.")]
