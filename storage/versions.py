"""The versions of jobs, datasets and model tasks: all that somebody who waits for change has to read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import select, union_all

from api_schemas.jobs import TERMINAL, JobState
from storage.database import Database, by_id, fetch, one_of
from storage.tables import DatasetRow, JobRow, ModelTaskRow


@dataclass(frozen=True)
class Standing:
    """How far an object has come."""

    version: int
    ended: bool
    """Whether the version is its last, or waits for somebody to change it."""


class JobStanding(NamedTuple):
    """How far a job has come, and what decides when it starts."""

    project: str
    version: int
    state: JobState
    queue: str
    device: str
    priority: int


def job_standing(database: Database, project: str, job_id: str) -> Standing:
    """A job's version alone, which is all that a poll needs.

    Raises:
        NotFound: this project has no such job.
    """
    version, state = _read(database, JobRow, project, job_id)
    return Standing(version, state in TERMINAL)


def dataset_standing(database: Database, project: str, dataset_id: str) -> Standing:
    """A dataset's version alone.

    Raises:
        NotFound: this project has no such dataset.
    """
    version, state = _read(database, DatasetRow, project, dataset_id)
    return Standing(version, state != "processing")


def _read(database: Database, table: type[JobRow | DatasetRow], project: str, identifier: str) -> tuple[int, str]:
    with database.read() as session:
        query = by_id(table, project, identifier).with_only_columns(table.version, table.state)
        found = session.execute(query).one_or_none()
        if found is None:
            row = fetch(session, table, project, identifier)  # says that there is none
            return row.version, row.state
        version, state = found
        return version, state


def read_versions(database: Database, identifiers: Sequence[str]) -> dict[str, int]:
    """The versions of several jobs, datasets and model tasks in one read; who is gone is left out."""
    jobs = select(JobRow.id, JobRow.version).where(JobRow.id.in_(identifiers))
    datasets = select(DatasetRow.id, DatasetRow.version).where(DatasetRow.id.in_(identifiers))
    tasks = select(ModelTaskRow.id, ModelTaskRow.version).where(ModelTaskRow.id.in_(identifiers))
    with database.read() as session:
        return dict(session.execute(union_all(jobs, datasets, tasks)).all())


def read_standings(database: Database, job_ids: Collection[str]) -> dict[str, JobStanding]:
    """The standings of jobs of any project; who is gone is left out."""
    columns = (JobRow.project_id, JobRow.version, JobRow.state, JobRow.queue, JobRow.device, JobRow.priority)
    with database.read() as session:
        wanted = one_of(session, JobRow.id, job_ids)
        return {
            job_id: JobStanding._make(found)
            for job_id, *found in session.execute(select(JobRow.id, *columns).where(wanted))
        }
