"""Routes of a job's model as a file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from api_schemas.model_tasks import Export, ModelFormat
from api_schemas.predictions import Pending
from service.gateway import Gateway, GatewayDependency, ProjectDependency
from service.model_archive import write_archive
from service.model_work import ask, pending
from service.problems import documented
from service.replies import KnownDependency, etag, in_thread, unchanged
from storage.jobs import get_job
from storage.model_tasks import model_of

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["models"], responses=documented(404, 409))

_MEDIA_TYPES: dict[ModelFormat, str] = {
    "safetensors": "application/octet-stream",
    "zip": "application/zip",
    "onnx": "application/octet-stream",
    "pt2": "application/octet-stream",
}


@router.get(
    "/model",
    response_model=None,
    responses={
        200: {"content": {media: {} for media in _MEDIA_TYPES.values()}, "description": "The file."},
        202: {"model": Pending, "description": "It is being written; ask again."},
        304: {"description": "Nothing changed."},
    },
)
async def get_model(
    job_id: str,
    gateway: GatewayDependency,
    project: ProjectDependency,
    known: KnownDependency,
    format: Annotated[  # noqa: A002 - the parameter's name in the contract
        ModelFormat,
        Query(description="`safetensors`: weights, spec and preparation in one file; `zip`: the same with a README."),
    ] = "safetensors",
) -> Response:
    """The trained model: what it learned, and all that leads from raw columns to answers.

    ONNX and torch.export files are made by a worker when they are first asked for, and checked there: their answers
    are those of the network.
    """
    stored = await in_thread(lambda: model_of(gateway.database, project, job_id))
    if format == "zip":
        return await in_thread(lambda: _archive(gateway, project, job_id, stored))
    if format != "safetensors":
        task = await ask(gateway, project, job_id, Export(format=format))
        if task.result is None:
            return pending(f"the model is being written as {format}", f"/v1/jobs/{job_id}/model?format={format}")
        stored = task.result.sha256
    if known.has(stored):
        return unchanged(stored)
    headers = {"ETag": etag(stored), "Cache-Control": "no-cache"}
    path = await in_thread(lambda: gateway.artifacts.path(stored))
    return FileResponse(path, 200, headers, _MEDIA_TYPES[format], filename=f"{job_id}.{format}")


def _archive(gateway: Gateway, project: str, job_id: str, stored: str) -> Response:
    job = get_job(gateway.database, project, job_id)
    with tempfile.NamedTemporaryFile(prefix="anneal-", suffix=".zip", delete=False) as file:
        write_archive(file, job, gateway.artifacts.path(stored))
    remove = BackgroundTask(Path(file.name).unlink, missing_ok=True)
    return FileResponse(
        file.name, 200, {"Cache-Control": "no-cache"}, "application/zip", remove, filename=f"{job_id}.zip"
    )
