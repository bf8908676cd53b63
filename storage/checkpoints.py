"""The kept checkpoints of jobs."""

from __future__ import annotations

from collections.abc import Sequence

from api_schemas.errors import NotFound
from api_schemas.jobs import Checkpoint
from storage.database import Database, fetch
from storage.tables import JobRow


def list_checkpoints(database: Database, project: str, job_id: str) -> list[Checkpoint]:
    """A job's checkpoints that are kept, newest first.

    Raises:
        NotFound: this project has no such job.
    """
    with database.read() as session:
        return fetch(session, JobRow, project, job_id).checkpoints[::-1]


def get_checkpoint(database: Database, project: str, job_id: str, which: str) -> Checkpoint:
    """One checkpoint of a job.

    Args:
        database: where to look.
        project: whose it is.
        job_id: which job.
        which: `best`, `last`, or the steps that were done.

    Raises:
        NotFound: this project has no such job, or the job does not keep it.
    """
    kept = list_checkpoints(database, project, job_id)
    for checkpoint in kept:
        names = {str(checkpoint.step): True, "best": checkpoint.best, "last": checkpoint.last}
        if names.get(which):
            return checkpoint
    raise NotFound(_absent(job_id, which, kept))


def _absent(job_id: str, which: str, kept: Sequence[Checkpoint]) -> str:
    if not kept:
        return f"job {job_id} keeps no checkpoint; it writes one every `training.checkpoint_every_steps`"
    if which == "best":
        return f"no checkpoint of job {job_id} was judged by validation rows; take `last`"
    steps = ", ".join(str(checkpoint.step) for checkpoint in kept)
    return f"job {job_id} keeps no checkpoint {which!r}; it keeps those of {steps} steps"
