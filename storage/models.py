"""The registry: names, the versions that they have, and the aliases of versions.

A model is addressed as `name`, which is its highest version, as `name@3`, or as `name@champion`.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from api_schemas.errors import Conflict, NotFound
from api_schemas.ids import new_id
from api_schemas.models import ModelChange, ModelVersion, RegisteredModel
from api_schemas.nearest import nearest
from storage.database import Database, fetch, insert, now, owned
from storage.model_tasks import require_model
from storage.pages import read_page
from storage.tables import JobRow, ModelRow, ModelVersionRow


def put_model(database: Database, project: str, name: str, change: ModelChange) -> RegisteredModel:
    """Give a name to a job's model: a new version, unless the job is one already; aliases move to that version.

    Raises:
        NotFound: this project has no such job.
        Conflict: the job has no model, or none yet.
    """
    with database.write() as session:
        job = fetch(session, JobRow, project, change.job, lock=True)
        require_model(job)
        row = _taken(session, project, name)
        versions = _versions(session, row)
        version = next((each for each in versions if each.job_id == job.id), None)
        if version is None:
            row.last_version += 1
            version = ModelVersionRow(
                model_id=row.id, number=row.last_version, job_id=job.id, aliases=[], created_at=now()
            )
            session.add(version)
        for other in versions:
            other.aliases = [alias for alias in other.aliases if alias not in change.aliases]
        version.aliases = sorted({*version.aliases, *change.aliases})
        session.flush()
        return _model_of(row, _versions(session, row))


def get_model(database: Database, project: str, name: str) -> RegisteredModel:
    """A name and all its versions.

    Raises:
        NotFound: this project has no such name.
    """
    with database.read() as session:
        row = _find(session, project, name)
        return _model_of(row, _versions(session, row))


def list_models(
    database: Database, project: str, *, limit: int = 50, cursor: str | None = None
) -> tuple[list[RegisteredModel], str | None]:
    """A page of names, the newest first, and the cursor of the next page."""
    with database.read() as session:
        rows, following = read_page(session, owned(ModelRow, project), ModelRow.id, limit=limit, cursor=cursor)
        versions = _versions_of(session, rows)
        return [_model_of(row, versions[row.id]) for row in rows], following


def job_of(database: Database, project: str, reference: str) -> str:
    """The job whose model `name`, `name@3` or `name@champion` means.

    Raises:
        NotFound: there is no such name, version or alias.
    """
    with database.read() as session:
        return _version(session, project, reference)[1].job_id


def delete_model(database: Database, project: str, reference: str) -> None:
    """Forget a name with all its versions, or one version of it; the last one takes the name along.

    Raises:
        NotFound: there is no such name, version or alias.
    """
    with database.write() as session:
        if "@" in reference:
            row, version = _version(session, project, reference)
            session.delete(version)
            session.flush()
        else:
            row = _find(session, project, reference)
            session.execute(delete(ModelVersionRow).where(ModelVersionRow.model_id == row.id))
        if not _versions(session, row):
            session.execute(delete(ModelRow).where(ModelRow.id == row.id))


def refuse_named(session: Session, job_id: str) -> None:
    """Keep a job that a name points at.

    Raises:
        Conflict: one does.
    """
    query = (
        select(ModelRow.name, ModelVersionRow.number)
        .join(ModelVersionRow, ModelVersionRow.model_id == ModelRow.id)
        .where(ModelVersionRow.job_id == job_id)
        .limit(1)
    )
    if (found := session.execute(query).one_or_none()) is not None:
        reference = f"{found.name}@{found.number}"
        raise Conflict(f"this job is the model {reference!r}; delete /v1/models/{reference} first")


def _taken(session: Session, project: str, name: str) -> ModelRow:
    """The row of a name, made where there is none, and held to the end of the transaction."""
    row = {"id": new_id("mdl"), "project_id": project, "name": name, "last_version": 0, "version": 1}
    session.execute(insert(session, ModelRow).values(row).on_conflict_do_nothing())
    return session.scalars(owned(ModelRow, project).where(ModelRow.name == name).with_for_update()).one()


def _find(session: Session, project: str, name: str) -> ModelRow:
    row = session.scalar(owned(ModelRow, project).where(ModelRow.name == name)) if name.isprintable() else None
    if row is None:
        raise NotFound(f"there is no model {name!r} in this project")
    return row


def _version(session: Session, project: str, reference: str) -> tuple[ModelRow, ModelVersionRow]:
    name, marked, wanted = reference.partition("@")
    row = _find(session, project, name)
    versions = _versions(session, row)
    if not marked:
        return row, versions[0]
    for version in versions:
        if wanted == str(version.number) or wanted in version.aliases:
            return row, version
    known = [alias for version in versions for alias in version.aliases] + [str(each.number) for each in versions]
    raise NotFound(f"model {name!r} has no version {wanted!r}; {nearest(wanted, known)}")


def _versions(session: Session, row: ModelRow) -> list[ModelVersionRow]:
    """The versions of a name, newest first."""
    return _versions_of(session, [row])[row.id]


def _versions_of(session: Session, rows: Sequence[ModelRow]) -> dict[str, list[ModelVersionRow]]:
    """The versions of several names by the ids of their rows, read at once."""
    found: dict[str, list[ModelVersionRow]] = {row.id: [] for row in rows}
    query = select(ModelVersionRow).where(ModelVersionRow.model_id.in_(found))
    for version in session.scalars(query.order_by(ModelVersionRow.number.desc())):
        found[version.model_id].append(version)
    return found


def _model_of(row: ModelRow, versions: Sequence[ModelVersionRow]) -> RegisteredModel:
    return RegisteredModel(
        name=row.name,
        latest=versions[0].number,
        versions=[
            ModelVersion(version=each.number, job=each.job_id, aliases=each.aliases, created_at=each.created_at)
            for each in versions
        ],
    )
