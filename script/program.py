"""A job as a standalone PyTorch program that repeats its run."""

from __future__ import annotations

from api_schemas.catalog.call import Call, Name
from api_schemas.datasets import Dataset
from api_schemas.jobs import Job
from script.arguments import example
from script.data import write_data
from script.evaluation import write_evaluation
from script.loop import Loop
from script.network import init_file, write_network
from script.optimizer import write_optimizer
from script.page import Page
from script.subject import Subject

_HEADER = """\
{title}

A training run as one program. It loads the data, trains the network, and prints

    step <n> loss <value>                      for every step
    evaluation step <n> val/loss <value> ...   for every evaluation
    weights_sha256 <digest>                    of the network at the end

{numbers}

Run it with

    python {command}

It needs {libraries}{init}.
"""


def write_script(job: Job, dataset: Dataset | None) -> str:
    """A program that loads a job's data, trains as the job did and prints the same numbers.

    Args:
        job: in any state; where it has run, the program takes as many threads.
        dataset: the upload that it learns from; None for a dataset named by name.

    Raises:
        InvalidRequest: when the dataset is no longer one that the job could be trained on.
    """
    subject, page = Subject.of(job, dataset), Page()
    _write_settings(page, subject)
    write_data(page, subject)
    write_network(page, subject)
    steps = write_optimizer(page, subject)
    write_evaluation(page, subject)
    Loop(page, subject, steps).write()
    return page.text(_header(page, subject))


def _write_settings(page: Page, subject: Subject) -> None:
    """What rounding depends on."""
    page.imports.module("torch")
    lines: list[str] = []
    if subject.on_gpu:
        lines.append(f'device = torch.device("{subject.device}")')
        if subject.device == "cuda":
            device, tf32 = Name("device"), Name(str(subject.spec.training.precision == "tf32"))
            lines.append(page.line("", Call("training.device.make_deterministic", (device,))))
            lines.append(page.line("", Call("training.device.allow_tf32", (device, tf32))))
    elif subject.environment:
        lines.append(f"torch.set_num_threads({subject.environment.threads})")
    if lines:
        page.code("\n".join(lines))


def _header(page: Page, subject: Subject) -> str:
    argument = f" {example(subject.dataset)}" if subject.dataset else ""
    return _HEADER.format(
        title=f"{_plain(subject.name)} ({subject.id})",
        numbers=_numbers(subject),
        command=f"{subject.id}.py{argument}",
        libraries=_listed(page.imports.libraries()),
        init=_init(subject),
    )


def _numbers(subject: Subject) -> str:
    if subject.environment is None:
        return "as the run does, to the last bit, on the same machine with as many threads."
    where = subject.environment
    threads = f"{where.threads} thread{'s' if where.threads != 1 else ''}"
    machine = f"torch {where.torch} on {where.device} with {threads}"
    return f"as the run did, to the last bit on the same machine, which had\n{machine}."


def _init(subject: Subject) -> str:
    """Where the file comes from that the network begins with, where it begins with one."""
    init = subject.spec.init
    if init is None:
        return ""
    command = f"anneal export {init.job}" + (f" --checkpoint {init.checkpoint}" if init.checkpoint else "")
    return f", and in the folder where it runs\n{init_file(init)}, which\n`{command}` writes"


def _plain(name: str) -> str:
    """A name as it may stand in a docstring."""
    return name.replace("\\", "/").replace('"', "'")


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
