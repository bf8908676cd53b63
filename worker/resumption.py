"""Where a run goes on: at the newest checkpoint that can be read, else at its first step."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from training.checkpoint import UnreadableCheckpoint
from training.loop import Run
from worker.messages import FellBack, Kept


def take_up(make: Callable[[], Run], checkpoints: Sequence[Kept]) -> tuple[Run, FellBack | None]:
    """The run where its newest readable checkpoint left it.

    Args:
        make: the run at its first step, each time another.
        checkpoints: of earlier attempts, oldest first.

    Returns:
        The run, and why it does not go on from the last checkpoint, where it does not.
    """
    run, faults = make(), list[str]()
    for checkpoint in reversed(checkpoints):
        try:
            _restore(run, checkpoint)
            break
        except UnreadableCheckpoint as error:
            faults.append(f"the checkpoint of step {checkpoint.steps_done} cannot be read ({error})")
            run = make()  # it may have taken in a part
    return run, FellBack(run.steps_done, "; ".join(faults)) if faults else None


def _restore(run: Run, checkpoint: Kept) -> None:
    if checkpoint.path is None:
        raise UnreadableCheckpoint("its file is gone")
    try:
        with checkpoint.path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UnreadableCheckpoint(error.strerror or "it cannot be opened") from error
    if found != checkpoint.sha256:
        raise UnreadableCheckpoint("its bytes are not those that were written")
    run.restore(checkpoint.path)
