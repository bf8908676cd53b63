"""Routes of the registry: names that point at trained models."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from starlette.responses import Response

from api_schemas.models import ModelChange, RegisteredModel
from api_schemas.pages import Page
from service.gateway import GatewayDependency, ProjectDependency
from service.problems import documented
from service.replies import Cursor, Limit, page, reply
from storage import models

router = APIRouter(prefix="/v1/models", tags=["models"], responses=documented(404))

Name = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="Such as `wine-quality`.")]
Reference = Annotated[str, Path(description="`wine`, or one version of it: `wine@3` or `wine@champion`.")]


def _job_of(reference: Reference, gateway: GatewayDependency, project: ProjectDependency) -> str:
    return models.job_of(gateway.database, project, reference)


NamedJob = Annotated[str, Depends(_job_of)]
"""The job whose model a path names as `/v1/models/{reference}/...`."""


@router.get("", response_model=None, responses={200: {"model": Page[RegisteredModel]}})
def list_models(
    gateway: GatewayDependency, project: ProjectDependency, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """The names of the project with their versions, newest first."""
    found, following = models.list_models(gateway.database, project, limit=limit, cursor=cursor)
    return page(found, following, RegisteredModel)


@router.put(
    "/{name}", response_model=None, responses={200: {"model": RegisteredModel}} | documented(400, 409, 413, 415)
)
def put_model(name: Name, change: ModelChange, gateway: GatewayDependency, project: ProjectDependency) -> Response:
    """Point a name at a job's model: its next version, unless it is one already. Aliases move to that version."""
    return reply(models.put_model(gateway.database, project, name, change))


@router.get("/{name}", response_model=None, responses={200: {"model": RegisteredModel}})
def get_model(name: Name, gateway: GatewayDependency, project: ProjectDependency) -> Response:
    """One name with all its versions."""
    return reply(models.get_model(gateway.database, project, name))


@router.delete("/{reference}", status_code=204, response_model=None)
def delete_model(reference: Reference, gateway: GatewayDependency, project: ProjectDependency) -> Response:
    """Forget a name, or one version of it. The job and its model stay."""
    models.delete_model(gateway.database, project, reference)
    return Response(status_code=204)
