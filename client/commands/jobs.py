"""The commands on jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api_schemas.ids import is_id
from api_schemas.jobs import Job, JobState
from client.api import Client
from client.commands.options import JobId
from client.job_file import BadJobFile, Spec, change, check, read_spec
from client.live import LiveView
from client.report import job_headers, job_row, job_rows, plan_rows
from client.terminal import Terminal, terminal_of

_STATUS: dict[JobState, int] = {"succeeded": 0, "failed": 1, "cancelled": 2}
_INTERRUPTED = 130
"""What a shell says of a command that ended by Ctrl-C."""


def submit(
    context: typer.Context,
    file: Annotated[str | None, typer.Option("--file", "-f", help="The job, JSON or YAML; - is the input.")] = None,
    dataset: Annotated[str | None, typer.Option(help="A dataset's name or id, in place of or over a file's.")] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="As in optimizer.lr=0.1; again for more.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Return when it has ended, with its exit status.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it learn, as `anneal watch` does.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run; store nothing.")] = False,
) -> None:
    """Submit a training job.

    anneal submit --dataset digits --set optimizer.lr=0.01 --watch
    """
    terminal = terminal_of(context)
    spec = _spec(file, dataset, assignments or [])
    with terminal.client() as client:
        if dry_run:
            _dry_run(client, terminal, spec)
            return
        job = client.jobs.create(spec)
        terminal.faults(job.warnings)
        if watch and not terminal.json:
            raise typer.Exit(_watch(client, terminal, job.id, exit_status=True))
        if wait or watch:
            job = client.jobs.wait(job.id)
            _tell(terminal, job)
            raise typer.Exit(_STATUS[job.state])
        _tell_submitted(terminal, job)


def ls(
    context: typer.Context,
    state: Annotated[JobState | None, typer.Option(help="Only jobs in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 20,
) -> None:
    """List jobs, newest first."""
    terminal = terminal_of(context)
    with terminal.client() as client:
        jobs = list(client.jobs.list(state=state, limit=limit))
    if terminal.json:
        terminal.dump(jobs)
    elif jobs:
        terminal.table(job_headers(), (job_row(job) for job in jobs))
    else:
        terminal.err.print("no jobs; submit one with: anneal submit --dataset digits --watch")


def show(context: typer.Context, job_id: JobId) -> None:
    """Show all that is known about a job."""
    terminal = terminal_of(context)
    with terminal.client() as client:
        _tell(terminal, client.jobs.get(job_id))


def watch(
    context: typer.Context,
    job_id: JobId,
    exit_status: Annotated[
        bool, typer.Option("--exit-status", help="Exit as the job ends: 0 succeeded, 1 failed, 2 cancelled.")
    ] = False,
) -> None:
    """Watch a job learn; Ctrl-C leaves and lets it go on."""
    terminal = terminal_of(context)
    with terminal.client() as client:
        if terminal.json or terminal.curl:
            for event in client.jobs.events(job_id):
                terminal.dump(event)
            status = _STATUS[client.jobs.get(job_id).state] if exit_status else 0
        else:
            status = _watch(client, terminal, job_id, exit_status=exit_status)
    raise typer.Exit(status)


def cancel(context: typer.Context, job_id: JobId) -> None:
    """Stop a job; what it has measured stays."""
    terminal = terminal_of(context)
    with terminal.client() as client:
        job = client.jobs.cancel(job_id)
    if terminal.json:
        terminal.dump(job)
    else:
        terminal.print(f"{job.id} {job.state}")


def script(
    context: typer.Context,
    job_id: JobId,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it to this file.")] = None,
) -> None:
    """Show a job's run as a PyTorch program of its own, which needs no Anneal.

    anneal script ID > run.py && python run.py
    """
    terminal = terminal_of(context)
    with terminal.client() as client:
        program = client.jobs.script(job_id)
    if output is not None:
        output.write_text(program, encoding="utf-8")
    else:
        terminal.write(program)


def _spec(file: str | None, dataset: str | None, assignments: list[str]) -> Spec:
    if file is None and dataset is None:
        raise BadJobFile("say what to train: -f with a file, or --dataset with a name such as digits")
    spec: Spec = {} if file is None else read_spec(file)
    if dataset is not None:
        spec = {**spec, "dataset": {"id": dataset} if is_id(dataset, "ds") else {"name": dataset}}
    for assignment in assignments:
        spec = change(spec, assignment)
    check(spec)
    return spec


def _dry_run(client: Client, terminal: Terminal, spec: Spec) -> None:
    plan = client.jobs.validate(spec)
    if terminal.json:
        terminal.dump(plan)
    else:
        terminal.pairs(plan_rows(plan))
        terminal.faults(plan.warnings)


def _watch(client: Client, terminal: Terminal, job_id: str, *, exit_status: bool) -> int:
    try:
        job = LiveView(client, terminal).show(job_id)
    except KeyboardInterrupt:
        terminal.err.print(
            f"the job goes on; come back with: anneal watch {job_id}\nstop it with: anneal cancel {job_id}"
        )
        return _INTERRUPTED if exit_status else 0
    return _STATUS[job.state] if exit_status else 0


def _tell(terminal: Terminal, job: Job) -> None:
    if terminal.json:
        terminal.dump(job)
    else:
        terminal.pairs(job_rows(job))
        terminal.faults(job.warnings)


def _tell_submitted(terminal: Terminal, job: Job) -> None:
    if terminal.json:
        terminal.dump(job)
    else:
        terminal.print(job.id)
        if terminal.live:
            terminal.err.print(f"watch it with: anneal watch {job.id}")
