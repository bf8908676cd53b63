"""The `anneal` command: its options, its exit codes and what it says when something goes wrong."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from api_schemas.errors import AnnealError, Forbidden, Unauthorized
from client.commands import catalog, datasets, jobs, models, moving, operator, up
from client.curl import Shown
from client.terminal import Terminal

FAILED = 1
NOT_AUTHORISED = 4
INTERRUPTED = 130

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 failed, 2 the job was cancelled, 4 not authorised.",
)
for command in (
    up.up,
    jobs.submit,
    jobs.ls,
    jobs.show,
    jobs.watch,
    jobs.cancel,
    jobs.script,
    models.predict,
    models.export,
    catalog.catalog,
    operator.migrate,
    moving.migrate_database,
    moving.backup,
    moving.restore,
):
    app.command()(command)
app.add_typer(datasets.app, name="datasets")
app.add_typer(models.app, name="models")
app.add_typer(operator.keys, name="keys")

_ANYWHERE = {"--url": 1, "--key": 1, "--json": 0, "--curl": 0}
"""Options of every command, and how many values each takes."""


@app.callback()
def options(
    context: typer.Context,
    url: Annotated[
        str | None, typer.Option(help="The gateway; by default ANNEAL_URL, else http://127.0.0.1:8000.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="An API key; by default ANNEAL_API_KEY.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
    curl: Annotated[bool, typer.Option("--curl", help="Show the curl that does the same, and do nothing.")] = False,
) -> None:
    """Train neural networks, and see why they do not train.

    These options may stand before or behind a command.
    """
    context.obj = Terminal(url=url, key=key, json=json, curl=curl)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: by default the process's.

    Returns:
        The exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot say ✔ gets a question mark, not an error.
        stream.reconfigure(errors="replace")  # pyright: ignore[reportAttributeAccessIssue]
    try:
        status = app(_options_first(sys.argv[1:] if arguments is None else arguments), standalone_mode=False)
    except Shown:
        return 0
    except typer.TyperException as error:
        _say_misuse(error)
        return FAILED
    except AnnealError as error:
        Terminal().fail(error)
        return NOT_AUTHORISED if isinstance(error, Unauthorized | Forbidden) else FAILED
    except OSError as error:
        Terminal().fail(AnnealError(f"{error.filename}: {error.strerror}" if error.filename else str(error)))
        return FAILED
    return status if isinstance(status, int) else 0


def _say_misuse(error: typer.TyperException) -> None:
    message = error.format_message().replace("Value error, ", "")
    if message:  # there is none where the help was shown in its place
        Terminal().fail(AnnealError(message))


def _options_first(arguments: Sequence[str]) -> list[str]:
    """The arguments with the options of every command before the command."""
    first: list[str] = []
    others: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            return [*first, *others, argument, *rest]
        count = _ANYWHERE.get(argument.partition("=")[0])
        (others if count is None else first).append(argument)
        if count and "=" not in argument:
            first.extend(value for _, value in zip(range(count), rest, strict=False))
    return [*first, *others]
