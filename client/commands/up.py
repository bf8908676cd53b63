"""The command that runs Anneal on this machine."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api_schemas.errors import AnnealError
from client.commands.settings import read_settings
from client.live import LiveView
from client.report import job_headers, job_row
from client.terminal import Terminal, terminal_of

if TYPE_CHECKING:
    from client.api import Client

FIRST_JOB: dict[str, Any] = {"name": "first job: digits", "dataset": {"name": "digits"}}
_RECENT = 5


class CannotRun(AnnealError):
    """Something about this machine is in the way."""

    code, title = "cannot_run", "Cannot run"


def up(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 by default.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 8000 by default, 0 picks one.")] = None,
    workers: Annotated[int | None, typer.Option(help="Jobs to train at a time.")] = None,
    home: Annotated[Path | None, typer.Option(help="Folder that keeps everything; ~/.anneal by default.")] = None,
    first_job: Annotated[
        bool, typer.Option("--first-job", help="Train a first job where there is none, and show it learn.")
    ] = False,
) -> None:
    """Run Anneal on this machine until Ctrl-C: gateway, worker and broker."""
    # What runs Anneal also imports its database; the other commands need not pay for that.
    from embedded.errors import CannotStart  # noqa: PLC0415
    from embedded.supervisor import Supervisor  # noqa: PLC0415

    terminal = terminal_of(context)
    settings = read_settings(host=host, port=port, workers=workers, home=home)
    try:
        with Supervisor(settings) as anneal:
            anneal.start()
            here = Terminal(anneal.url, terminal.key, out=terminal.out, err=terminal.err)
            here.print(f"Anneal serves {anneal.url}", f"  its state is in {settings.folder}; Ctrl-C stops it")
            with _welcome(here) if first_job else nullcontext():
                status = anneal.wait()
            here.print("stopping; what trains now goes on from its checkpoint at the next: anneal up")
    except CannotStart as error:
        raise CannotRun(str(error)) from error
    raise typer.Exit(status)


@contextmanager
def _welcome(terminal: Terminal) -> Generator[None]:
    """Show the first job while the block runs: on a thread, as the main one has the processes to look after."""
    with terminal.client() as client:
        view = LiveView(client, terminal)
        thread = threading.Thread(target=_greet, args=(client, terminal, view), daemon=True)
        thread.start()
        try:
            yield
        finally:
            view.stop()
            thread.join(timeout=2)


def _greet(client: Client, terminal: Terminal, view: LiveView) -> None:
    try:
        recent = list(client.jobs.list(limit=_RECENT))
        if recent:
            terminal.table(job_headers(), (job_row(job) for job in recent))
            return
        job = client.jobs.create(FIRST_JOB)
        terminal.print(f"its page: {client.url}/#/jobs/{job.id}", "")
        if view.show(job.id).terminal:
            terminal.print("", "train your own: anneal submit --dataset digits --set optimizer.lr=0.01 --watch")
    except AnnealError as error:
        terminal.fail(error)
