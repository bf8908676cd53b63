"""Routes of the kept checkpoints of a job."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from api_schemas.jobs import Checkpoint
from api_schemas.pages import Page
from service.files import send
from service.gateway import GatewayDependency, ProjectDependency
from service.problems import documented
from service.replies import KnownDependency, in_thread, page
from storage import checkpoints

router = APIRouter(prefix="/v1/jobs/{job_id}/checkpoints", tags=["jobs"], responses=documented(404))


@router.get("", response_model=None, responses={200: {"model": Page[Checkpoint]}})
def list_checkpoints(job_id: str, gateway: GatewayDependency, project: ProjectDependency) -> Response:
    """The checkpoints of a job that are kept, newest first: the last two, and the best by `training.best_metric`."""
    return page(checkpoints.list_checkpoints(gateway.database, project, job_id), None, Checkpoint)


@router.get(
    "/{which}",
    response_model=None,
    responses={
        200: {"content": {"application/octet-stream": {}}, "description": "The file."},
        304: {"description": "Nothing changed."},
    },
)
async def get_checkpoint(
    job_id: str,
    which: Annotated[str, Path(description="`best`, `last`, or how many steps were done.")],
    gateway: GatewayDependency,
    project: ProjectDependency,
    known: KnownDependency,
) -> Response:
    """A kept checkpoint as one safetensors file.

    Its tensors `weights/...` are the network's weights as they would be judged, by the names that the model's file
    gives them; the others are the rest of the run's state.
    """
    found = await in_thread(lambda: checkpoints.get_checkpoint(gateway.database, project, job_id, which))
    return await send(gateway, known, found.sha256, f"{job_id}.{which}.safetensors")
