"""Jobs as a list shows them: which it is about, and each as the JSON that it is answered with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Select, Text, select, type_coerce
from sqlalchemy.orm import Session, defer

from api_schemas.jobs import Course, JobState, Waiting
from storage.database import Database
from storage.events import read_transitions
from storage.jobs import course_of
from storage.pages import Sort, read_page
from storage.tables import JobRow, TagRow
from storage.written import read_written


@dataclass(frozen=True)
class JobFilter:
    """Which jobs a list is about; None leaves a condition out."""

    states: Sequence[JobState] = ()
    name: str | None = None
    """Part of the name, in any case."""
    tag: tuple[str, str] | None = None
    dataset: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


class Listed(NamedTuple):
    """A job of a list, with what it asks of the worker that takes it."""

    course: Course
    spec: str
    """As JSON."""
    queue: str
    device: str
    priority: int

    def json(self, waiting: Waiting | None = None) -> str:
        """What `api_schemas.jobs.Job` would write of it, with what it waits for."""
        course = self.course.model_copy(update={"waiting": waiting}).model_dump_json()
        return f'{course[:-1]},"spec":{self.spec}}}'


def list_jobs(
    database: Database,
    project: str,
    wanted: JobFilter,
    *,
    limit: int = 50,
    cursor: str | None = None,
    sort: Sort = "-created_at",
) -> tuple[list[Listed], str | None]:
    """A page of jobs, and the cursor of the next page.

    Raises:
        Unreadable: a newer version wrote one of them.
    """
    with database.read() as session:
        query = _filtered(select(JobRow.id).where(JobRow.project_id == project), wanted)
        ids, following = read_page(session, query, JobRow.id, limit=limit, cursor=cursor, sort=sort)
        found = {job.course.id: job for job in _read(session, ids)}
        return [found[job_id] for job_id in ids], following


def _read(session: Session, ids: Sequence[str]) -> Iterator[Listed]:
    transitions = read_transitions(session, ids)
    query = select(JobRow, type_coerce(JobRow.spec, Text)).where(JobRow.id.in_(ids))
    for row, text in session.execute(query.options(defer(JobRow.spec), defer(JobRow.checkpoints))):
        spec = read_written(text)
        course = course_of(row, transitions[row.id], spec.tags, spec.epochs)
        yield Listed(course, spec.text, row.queue, row.device, row.priority)


def _filtered(query: Select[str], wanted: JobFilter) -> Select[str]:
    if wanted.states:
        query = query.where(JobRow.state.in_(wanted.states))
    if wanted.name is not None:
        query = query.where(JobRow.name.icontains(wanted.name, autoescape=True))
    if wanted.tag is not None:
        name, value = wanted.tag
        query = query.where(JobRow.id.in_(select(TagRow.job_id).where(TagRow.name == name, TagRow.value == value)))
    if wanted.dataset is not None:
        query = query.where(JobRow.dataset_id == wanted.dataset)
    if wanted.created_after is not None:
        query = query.where(JobRow.created_at > wanted.created_after)
    if wanted.created_before is not None:
        query = query.where(JobRow.created_at < wanted.created_before)
    return query
