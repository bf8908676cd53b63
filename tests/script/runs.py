"""Runs of jobs and of their scripts, told alike."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import torch

from api_schemas.datasets import Dataset
from api_schemas.jobs import Environment, Job, JobSpec
from api_schemas.plan import make_plan
from script.program import write_script
from training.data.prepare import prepare
from training.events import Evaluation, Points
from training.loop import Diverged, Run

INSTALLED_AS = {"sklearn": "scikit-learn", "pytorch_optimizer": "pytorch-optimizer"}

# Many programs in one process: importing torch takes longer than what most of them do.
_RUNNER = """
import contextlib, io, json, runpy, sys, traceback
told = []
for arguments in json.loads(sys.stdin.read()):
    sys.argv = arguments
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            runpy.run_path(arguments[0], run_name="__main__")
        except SystemExit:
            pass
        except Exception:
            traceback.print_exc(file=out)
    told.append(out.getvalue())
sys.stdout.write(json.dumps(told))
"""


def job_of(spec: dict, dataset: Dataset | None = None) -> Job:
    """A job that ran here, as far as a script asks."""
    plan = make_plan(JobSpec.model_validate(spec), dataset)
    environment = Environment(torch=torch.__version__, device="cpu", threads=1, deterministic=True)
    return Job.model_validate(
        {"id": "job_1", "version": 1, "name": plan.spec.name, "tags": {}, "state": "succeeded", "state_reason": ""}
        | {"terminal": True, "created_at": "2024-01-01T00:00:00Z", "attempt": 1, "transitions": [], "spec": plan.spec}
        | {"progress": {"total_steps": plan.total_steps}, "environment": environment}
    )


def trained(job: Job, folder: Path, dataset: Dataset | None = None, arrays: dict | None = None) -> list[str]:
    """What a job's script shall print, from the job's own run."""
    plan = make_plan(job.spec, dataset)
    run = Run(plan.spec, plan, prepare(plan.spec, dataset, arrays), torch.device("cpu"))
    lines: list[str] = []
    try:
        for event in run.events():
            if isinstance(event, Points):
                losses = enumerate(event.series["train/loss"], event.first_step)
                lines += [f"step {step} loss {loss!r}" for step, loss in losses]
            elif isinstance(event, Evaluation):
                for part in ("val", "test"):
                    values = [f"{key} {value!r}" for key, value in event.values.items() if key.startswith(part)]
                    lines += [" ".join([f"evaluation step {event.step}", *values])] if values else []
    except Diverged:
        return lines
    return [*lines, f"weights_sha256 {run.save_model(folder / 'model.safetensors')}"]


def played(scripts: list[list[str]], folder: Path) -> list[list[str]]:
    """What programs print, each given by its path and arguments; run where nothing of ours can be imported."""
    done = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-c", _RUNNER],
        input=json.dumps(scripts),
        capture_output=True,
        text=True,
        cwd=folder,
        check=True,
    )
    return [printed.splitlines() for printed in json.loads(done.stdout)]


def run_all(specs: dict[str, dict], folder: Path) -> dict[str, tuple[Path, list[str], list[str]]]:
    """By name: a job's script, what it shall print and what it prints."""
    jobs = {name: job_of(spec) for name, spec in specs.items()}
    paths = {name: folder / f"{name.replace(' ', '_')}.py" for name in jobs}
    for name, path in paths.items():
        path.write_text(write_script(jobs[name], None))
    expected = {name: trained(job, folder) for name, job in jobs.items()}
    printed = dict(zip(jobs, played([[str(path)] for path in paths.values()], folder), strict=True))
    return {name: (paths[name], expected[name], printed[name]) for name in jobs}


def tidy(paths: Iterable[Path]) -> None:
    """Check that programs are as formatters and linters want them: every name known, every import used."""
    common = ["--isolated", "--line-length", "120", "--target-version", "py311", *map(str, paths)]
    for command in (["format", "--check", *common], ["check", "--select", "E,F,I,W,UP,SIM,RET", *common]):
        done = subprocess.run([sys.executable, "-m", "ruff", *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
