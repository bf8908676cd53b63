"""The trainer: a process that trains one job and tells its supervisor everything."""

from __future__ import annotations

import errno
import os
import platform
import time
import traceback
from multiprocessing.connection import Connection

import torch
from safetensors import SafetensorError
from torch._dynamo.exc import TorchDynamoException
from torch._inductor import config as inductor

from api_schemas.jobs import Environment, JobError
from api_schemas.plan import make_plan
from storage.artifacts import is_full
from training.data.preparation import BadData
from training.data.prepare import prepare
from training.data.tables import load_arrays
from training.events import CheckpointDue
from training.loop import Diverged, Run
from worker import memory
from worker.messages import Alive, Assignment, Done, Failed, NotSaved, OutOfMemory, Saved, Started, Stopped
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
    """Wait for an assignment and do it; the last thing said is Done, Stopped, Failed or OutOfMemory."""
    assignment: Assignment = line.recv()
    _take_place(assignment)
    room_bytes = memory.room(assignment.memory_bytes)
    try:
        _train(line, assignment)
    except Diverged as error:
        line.send(Failed(_diverged(error)))
    except BadData as error:
        line.send(Failed(_bad_data(error)))
    except TorchDynamoException as error:
        line.send(Failed(_cannot_compile(error)))
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        if assignment.device == "cuda":
            room_bytes = _room_on_gpu()
        traceback.clear_frames(error.__traceback__)  # what the run holds
        reason = (str(error) or type(error).__name__).splitlines()[0]
        line.send(OutOfMemory(reason, memory.asked_for(error), room_bytes))


def _train(line: Connection, assignment: Assignment) -> None:
    device = _device(assignment)
    arrays = load_arrays(assignment.arrays) if assignment.arrays else None
    line.send(Alive())
    plan = make_plan(assignment.spec, assignment.dataset)
    data = prepare(plan.spec, assignment.dataset, arrays)
    alive = _SignsOfLife(line)
    run, fell_back = take_up(
        lambda: Run(plan.spec, plan, data, device, assignment.init, alive.show), assignment.checkpoints
    )
    if fell_back:
        line.send(fell_back)
    line.send(Started(_environment(device)))
    for event in run.events():
        if isinstance(event, CheckpointDue):
            line.send(_save(run, assignment))
        else:
            line.send(event)
        if line.poll():
            if line.recv() == "checkpoint":
                line.send(_save(run, assignment))
            line.send(Stopped())
            return
    line.send(_finish(line, run, assignment))


def _finish(line: Connection, run: Run, assignment: Assignment) -> Done | Stopped:
    """Write the model, as soon as there is room for it."""
    model = assignment.folder / "model.safetensors"
    while True:
        try:
            return Done(model, run.save_model(model), run.steps_done)
        except (OSError, SafetensorError) as error:
            if not _is_full(error):
                raise
        line.send(NotSaved(run.steps_done))
        if line.poll(_ROOM_SECONDS):
            line.recv()
            return Stopped()


def _save(run: Run, assignment: Assignment) -> Saved | NotSaved:
    """Write a checkpoint, once the supervisor has stored and deleted the one before: they must not fill the disk."""
    path = assignment.folder / "state.checkpoint"
    while path.exists():
        time.sleep(_TAKEN_SECONDS)
    try:
        run.save(path, owner=assignment.job_id)
    except (OSError, SafetensorError) as error:
        if not _is_full(error):
            raise
        return NotSaved(run.steps_done)
    return Saved(path, run.steps_done)


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
    if assignment.device == "mps" and assignment.spec.resources.device == "auto":
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
