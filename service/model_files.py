"""Routes of a job's model as a file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from api_schemas.model_tasks import Export, ModelFormat
from api_schemas.predictions import Pending
from service.files import send
from service.gateway import Gateway, GatewayDependency, ProjectDependency
from service.model_archive import write_archive
from service.model_work import ask, pending
from service.models import NamedJob
from service.problems import documented
from service.replies import KnownDependency, in_thread
from storage.jobs import get_job
from storage.model_tasks import model_of

router = APIRouter(prefix="/v1", tags=["models"], responses=documented(404, 409))

_FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}, "application/zip": {}}, "description": "The file."},
    202: {"model": Pending, "description": "It is being written; ask again."},
    304: {"description": "Nothing changed."},
}

Format = Annotated[
    ModelFormat,
    Query(
        alias="format",
        description="`safetensors`: weights, spec and preparation in one file; `zip`: the same with a README.",
    ),
]


@router.get("/jobs/{job_id}/model", response_model=None, responses=_FILE)
async def get_model_of_job(
    job_id: str,
    gateway: GatewayDependency,
    project: ProjectDependency,
    known: KnownDependency,
    format_: Format = "safetensors",
) -> Response:
    """The trained model: what it learned, and all that leads from raw columns to answers.

    ONNX and torch.export files are made by a worker when they are first asked for, and checked there: their answers
    are those of the network.
    """
    stored = await in_thread(lambda: model_of(gateway.database, project, job_id))
    if format_ == "zip":
        return await in_thread(lambda: _archive(gateway, project, job_id, stored))
    if format_ != "safetensors":
        task = await ask(gateway, project, job_id, Export(format=format_))
        if task.result is None:
            return pending(f"the model is being written as {format_}", f"/v1/jobs/{job_id}/model?format={format_}")
        stored = task.result.sha256
    return await send(gateway, known, stored, f"{job_id}.{format_}")


@router.get("/models/{reference}/model", response_model=None, responses=_FILE)
async def get_model_by_name(
    job_id: NamedJob,
    gateway: GatewayDependency,
    project: ProjectDependency,
    known: KnownDependency,
    format_: Format = "safetensors",
) -> Response:
    """The trained model that a name stands for: `wine`, `wine@3` or `wine@champion`."""
    return await get_model_of_job(job_id, gateway, project, known, format_)


def _archive(gateway: Gateway, project: str, job_id: str, stored: str) -> Response:
    job = get_job(gateway.database, project, job_id)
    with tempfile.NamedTemporaryFile(prefix="anneal-", suffix=".zip", delete=False) as file:
        write_archive(file, job, gateway.artifacts.path(stored))
    remove = BackgroundTask(Path(file.name).unlink, missing_ok=True)
    return FileResponse(
        file.name, 200, {"Cache-Control": "no-cache"}, "application/zip", remove, filename=f"{job_id}.zip"
    )
