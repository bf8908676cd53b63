"""The trainer: a process that trains jobs, mostly one, and tells its supervisor everything."""

from __future__ import annotations

import errno
import os
import platform
import time
import traceback
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection

import torch
from safetensors import SafetensorError
from torch._dynamo.exc import TorchDynamoException
from torch._inductor import config as inductor

from api_schemas.jobs import Environment, JobError
from api_schemas.plan import make_plan
from storage.artifacts import is_full
from storage.companions import is_small
from training.data.preparation import BadData
from training.data.prepare import Data, prepare
from training.data.tables import load_arrays
from training.events import CheckpointDue, Diverged, Ended, Happening
from training.fused import Group
from training.loop import Run
from worker import memory
from worker.messages import (
    Alive,
    Assignment,
    Done,
    Failed,
    LastWord,
    NotSaved,
    Order,
    Ordered,
    OutOfMemory,
    Said,
    Saved,
    Started,
    Stopped,
    Task,
    Word,
)
from worker.process import limit_memory
from worker.resumption import take_up

_SIGN_SECONDS = 1.0
"""How often it says that the work goes on."""
_TAKEN_SECONDS = 0.005
"""How often it looks whether its last checkpoint was stored, while it would write the next."""
_OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "_STATUS_ALLOC_FAILED", "std::bad_alloc")
"""What the CPU's allocator, the drivers of GPUs, their libraries and C++ say."""
_ROOM_SECONDS = 1.0
"""How often a trainer looks whether there is room for its model."""


def train(line: Connection) -> None:
    """Wait for an assignment and do it; the last that is said of a job is a LastWord, or OutOfMemory of all."""
    assignment: Assignment = line.recv()
    _take_place(assignment)
    room_bytes = memory.room(assignment.memory_bytes)
    work = _Work(line, assignment)
    try:
        work.do()
    except TorchDynamoException as error:
        work.fail(_cannot_compile(error))
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        if assignment.device == "cuda":
            room_bytes = _room_on_gpu()
        traceback.clear_frames(error.__traceback__)  # what the runs hold
        reason = (str(error) or type(error).__name__).splitlines()[0]
        line.send(OutOfMemory(reason, memory.asked_for(error), room_bytes))


class _Work:
    """What a trainer has to do: each of its tasks, from the data to its last word.

    Args:
        line: to the supervisor.
        assignment: what it says.
    """

    def __init__(self, line: Connection, assignment: Assignment) -> None:
        self._line, self._assignment = line, assignment
        self._left = {task.job_id for task in assignment.tasks}
        """Jobs without a last word."""
        self._alive = _SignsOfLife(line)
        self._runs: dict[str, Run] = {}
        self._ended: dict[str, Run] = {}
        """Those that have ended, until there is room for their models."""
        self._orders: dict[str, Order] = {}
        self._try_at = 0.0

    def do(self) -> None:
        """Train all of them."""
        device = _device(self._assignment)
        self._take_up_all(device)
        for job_id in self._runs:
            self._say(job_id, Started(_environment(device)))
        group, jobs = Group(list(self._runs.values())), {run: job_id for job_id, run in self._runs.items()}
        for run, told in group.events():
            self._tell(jobs[run], run, told)
            self._hear()
            self._obey(jobs[run], run, group)
            self._write_models()
        while self._ended:
            self._hear(_ROOM_SECONDS)
            self._write_models()

    def fail(self, error: JobError) -> None:
        """Say of all that are left that they cannot go on."""
        for job_id in sorted(self._left):
            self._say(job_id, Failed(error))

    def _take_up_all(self, device: torch.device) -> None:
        """Make the runs; what is read from their data alike is prepared once."""
        given = self._assignment
        arrays = load_arrays(given.arrays) if given.arrays else None
        self._line.send(Alive())
        prepared: dict[str, Data] = {}
        for task in given.tasks:
            plan = make_plan(task.spec, given.dataset)
            if is_small(plan.flops_per_step, "cpu"):
                # A second thread makes it no faster, and together jobs have the bits of alone with one only.
                torch.set_num_threads(1)
            same = "" if plan.spec.loss is None else plan.spec.loss.model_dump_json()
            try:
                data = prepared.get(same) or prepared.setdefault(same, prepare(plan.spec, given.dataset, arrays))
            except BadData as error:
                self._say(task.job_id, Failed(_bad_data(error)))
                continue
            self._alive.show()
            self._take_up(task, partial(Run, plan.spec, plan, data, device, task.init, self._alive.show))

    def _take_up(self, task: Task, make: Callable[[], Run]) -> None:
        run, fell_back = take_up(make, task.checkpoints)
        self._runs[task.job_id] = run
        if fell_back:
            self._say(task.job_id, fell_back)

    def _tell(self, job_id: str, run: Run, told: Happening | Diverged | Ended) -> None:
        match told:
            case CheckpointDue():
                self._say(job_id, self._save(job_id, run))
            case Diverged():
                self._say(job_id, Failed(_diverged(told)))
            case Ended():
                self._ended[job_id], self._try_at = run, 0.0
            case _:
                self._say(job_id, told)

    def _hear(self, patience_seconds: float = 0.0) -> None:
        """Take in orders; a run that has ended follows at once."""
        while self._line.poll(patience_seconds):
            ordered: Ordered = self._line.recv()
            self._orders[ordered.job_id] = ordered.order
            if self._ended.pop(ordered.job_id, None):
                self._say(ordered.job_id, Stopped())
            patience_seconds = 0.0

    def _obey(self, job_id: str, run: Run, group: Group) -> None:
        """Stop a run that shall; it has told all of its steps just now."""
        order = self._orders.get(job_id)
        if order is None or job_id not in self._left or job_id in self._ended:
            return
        group.leave(run)
        if order == "checkpoint":
            self._say(job_id, self._save(job_id, run))
        self._say(job_id, Stopped())

    def _write_models(self) -> None:
        """Write the models of those that have ended, as soon as there is room for them."""
        if not self._ended or time.monotonic() < self._try_at:
            return
        for job_id, run in list(self._ended.items()):
            model = self._assignment.folder / f"{job_id}.safetensors"
            try:
                done = Done(model, run.save_model(model), run.steps_done)
            except (OSError, SafetensorError) as error:
                if not _is_full(error):
                    raise
                self._say(job_id, NotSaved(run.steps_done))
                self._try_at = time.monotonic() + _ROOM_SECONDS
                continue
            del self._ended[job_id]
            self._say(job_id, done)

    def _save(self, job_id: str, run: Run) -> Saved | NotSaved:
        """Write a checkpoint, once the supervisor has stored and deleted the last: they must not fill the disk."""
        path = self._assignment.folder / f"{job_id}.checkpoint"
        while path.exists():
            time.sleep(_TAKEN_SECONDS)
        try:
            run.save(path, owner=job_id)
        except (OSError, SafetensorError) as error:
            if not _is_full(error):
                raise
            return NotSaved(run.steps_done)
        return Saved(path, run.steps_done)

    def _say(self, job_id: str, word: Word) -> None:
        if isinstance(word, LastWord):
            self._left.discard(job_id)
        self._line.send(Said(job_id, word))


def _is_full(error: Exception) -> bool:
    """Whether there is no room on the disk; safetensors tells only in words."""
    return is_full(error) or f"(os error {errno.ENOSPC})" in str(error)


class _SignsOfLife:
    """Says now and then that the work goes on."""

    def __init__(self, line: Connection) -> None:
        self._line, self._due = line, 0.0

    def show(self) -> None:
        """Say so, unless it was said just now."""
        if time.monotonic() >= self._due:
            self._line.send(Alive())
            self._due = time.monotonic() + _SIGN_SECONDS


def _take_place(assignment: Assignment) -> None:
    if assignment.device == "cuda" and assignment.gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = assignment.gpu
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # what cuBLAS needs to give the same bits each time
    torch.set_num_threads(assignment.threads)
    limit_memory(assignment.memory_bytes)
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(assignment.compiled)
    inductor.compile_threads = 1  # the other cores are other slots'


def _device(assignment: Assignment) -> torch.device:
    """Where to train; a virtual Mac has Apple's processor, but no GPU, which nobody but torch knows."""
    if assignment.device == "mps" and assignment.tasks[0].spec.resources.device == "auto":
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    return torch.device(assignment.device)


def _environment(device: torch.device) -> Environment:
    return Environment(
        torch=torch.__version__,
        device=_name(device),
        threads=torch.get_num_threads(),
        deterministic=torch.are_deterministic_algorithms_enabled() or device.type == "cpu",
    )


def _name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} ({torch.backends.mps.get_name() if device.type == 'mps' else platform.machine()})"


def _diverged(error: Diverged) -> JobError:
    return JobError(
        code="diverged",
        message=str(error),
        hint="lower the learning rate, warm it up, clip the gradient, or standardise the features",
    )


def _bad_data(error: BadData) -> JobError:
    return JobError(code="bad_data", message=str(error), hint="correct the dataset's columns or its file")


def _cannot_compile(error: TorchDynamoException) -> JobError:
    return JobError(
        code="cannot_compile",
        message=f"torch.compile has failed: {str(error).splitlines()[0][:300]}",
        hint="set training.engine to eager; or give the worker what is missing: for a CPU a C++ compiler and Python's "
        "header files, for a GPU Triton and a C compiler",
    )


def _is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out; PyTorch has a class of its own for that of a GPU, and only where it manages it itself."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(words in str(error) for words in _OUT_OF_MEMORY)


def _room_on_gpu() -> int | None:
    """What a GPU has for this process, taken or not."""
    try:
        free, _ = torch.cuda.mem_get_info()
    except RuntimeError:
        return None
    return free + torch.cuda.memory_reserved()
