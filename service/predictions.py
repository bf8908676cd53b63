"""Routes of predictions: rows in raw columns go in, classes or numbers come out."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.responses import FileResponse, Response

from api_schemas.errors import InvalidRequest, MalformedRequest, UnsupportedMediaType
from api_schemas.formats import format_of
from api_schemas.model_tasks import Asked, PredictFile, PredictRows, TableFormat
from api_schemas.predictions import Pending, Prediction, PredictionRequest
from service.gateway import Gateway, GatewayDependency, ProjectDependency
from service.model_work import answered, ask, pending
from service.models import NamedJob
from service.problems import documented
from service.replies import in_thread, reply
from storage.artifacts import blocks
from storage.model_tasks import ModelTask, get_task, model_of

router = APIRouter(prefix="/v1", tags=["models"], responses=documented(404))

_MEDIA_TYPES: dict[TableFormat, str] = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/PredictionRequest"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "A table, arrays or a zip of images.",
                        }
                    },
                }
            },
        },
    }
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Prediction,
        "content": {"text/csv": {}, "application/jsonl": {}},
        "description": "Predictions of the rows, or the file with them in further columns.",
    },
    202: {"model": Pending, "description": "A worker is at it; ask where `Location` says."},
}

Output = Annotated[TableFormat, Query(description="How the answer for a file is written.")]


@router.post(
    "/jobs/{job_id}/predict",
    response_model=None,
    responses=_ANSWERS | documented(400, 409, 413, 415),
    openapi_extra=_BODY,
)
async def predict_with_job(
    job_id: str, request: Request, gateway: GatewayDependency, project: ProjectDependency, output: Output = "csv"
) -> Response:
    """Predict rows with a job's model: as JSON, or as the file of a multipart body for many.

    Values are as in the dataset; the model's own preparation is applied. Columns that it does not need are ignored.
    """
    await in_thread(lambda: model_of(gateway.database, project, job_id))
    asked = await _asked(request, gateway, output)
    return await _answer(gateway, await ask(gateway, project, job_id, asked))


@router.post(
    "/models/{reference}/predict",
    response_model=None,
    responses=_ANSWERS | documented(400, 409, 413, 415),
    openapi_extra=_BODY,
)
async def predict_with_model(
    job_id: NamedJob, request: Request, gateway: GatewayDependency, project: ProjectDependency, output: Output = "csv"
) -> Response:
    """Predict rows with a model by its name: `wine`, `wine@3` or `wine@champion`."""
    return await predict_with_job(job_id, request, gateway, project, output)


@router.get("/predictions/{prediction_id}", response_model=None, responses=_ANSWERS)
async def get_prediction(prediction_id: str, gateway: GatewayDependency, project: ProjectDependency) -> Response:
    """The answer to a prediction that took longer than its request waited; it is kept for an hour."""
    task = await in_thread(lambda: get_task(gateway.database, project, prediction_id))
    return await _answer(gateway, await answered(gateway, project, task))


async def _asked(request: Request, gateway: Gateway, output: TableFormat) -> Asked:
    kind = request.headers.get("content-type", "none").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _file(request, gateway, output)
    if kind != "application/json":
        message = f"send rows as application/json or a file as multipart/form-data; this content type is {kind!r}"
        raise UnsupportedMediaType(message)
    return PredictRows(request=_rows(request, await request.body()))


async def _file(request: Request, gateway: Gateway, output: TableFormat) -> Asked:
    async with request.form() as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise InvalidRequest.at("/file", "missing", "send the rows as the field `file`")
        format_ = format_of([file.filename or ""])
        if format_ == "text":
            message = "a text has no rows; send a table, arrays, or a zip of images, or a prompt as JSON"
            raise InvalidRequest.at("/file", "unknown_format", message)
        artifact = await in_thread(lambda: gateway.artifacts.put(blocks(file.file)))
    return PredictFile(sha256=artifact.sha256, format=format_, output=output)


def _rows(request: Request, body: bytes) -> PredictionRequest:
    request.state.body_model = PredictionRequest  # for the names that a fault may mention
    try:
        given = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedRequest(f"the body is not JSON: {error}") from error
    try:
        return PredictionRequest.model_validate(given)
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]
        raise RequestValidationError(faults, body=given) from error


async def _answer(gateway: Gateway, task: ModelTask) -> Response:
    if task.prediction is not None:
        return reply(task.prediction)
    if task.result is None or not isinstance(task.asked, PredictFile):
        return pending("a worker is predicting", f"/v1/predictions/{task.id}")
    digest, output = task.result.sha256, task.asked.output
    path = await in_thread(lambda: gateway.artifacts.path(digest))
    headers = {"Cache-Control": "no-store"}
    return FileResponse(path, 200, headers, _MEDIA_TYPES[output], filename=f"predictions.{output}")
