"""The versions of jobs, datasets and model tasks: all that somebody who waits for change has to read."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, union_all

from storage.database import Database
from storage.tables import DatasetRow, JobRow, ModelTaskRow


def read_versions(database: Database, identifiers: Sequence[str]) -> dict[str, int]:
    """The versions of several jobs, datasets and model tasks in one read; who is gone is left out."""
    jobs = select(JobRow.id, JobRow.version).where(JobRow.id.in_(identifiers))
    datasets = select(DatasetRow.id, DatasetRow.version).where(DatasetRow.id.in_(identifiers))
    tasks = select(ModelTaskRow.id, ModelTaskRow.version).where(ModelTaskRow.id.in_(identifiers))
    with database.read() as session:
        return dict(session.execute(union_all(jobs, datasets, tasks)).all())
