"""The route of datasets by URL."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from api_schemas.datasets import DatasetFile, Format
from api_schemas.errors import Fault, InvalidRequest
from api_schemas.formats import format_of
from api_schemas.sources import DatasetByUrl, locate
from service.bodies import JsonRoute
from service.gateway import GatewayDependency, IdempotencyKey, ProjectDependency
from service.replies import in_thread, reply
from storage import datasets
from storage.datasets import NewDataset
from storage.idempotency import Once

router = APIRouter(prefix="/v1/datasets", route_class=JsonRoute)

BODY: dict[str, Any] = {
    "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/DatasetByUrl"}}}}
}
"""What the description of the route for forms says of this one, for a path and method are described once."""


@router.post("", status_code=202, response_model=None, include_in_schema=False)
async def fetch_dataset(
    asked: DatasetByUrl, gateway: GatewayDependency, project: ProjectDependency, key: IdempotencyKey
) -> Response:
    """Have a worker fetch a file from a host that the operator allows, and read it."""
    locate(asked.source.url, gateway.settings.fetch_from)
    filename = asked.filename
    file = DatasetFile(name=filename, sha256="", bytes=0)
    upload = NewDataset(
        (asked.name or filename)[:200], _format(asked), [file], asked.target, asked.columns, asked.source.url
    )
    request = Once.of(key, "POST /v1/datasets", asked.model_dump_json()) if key else None
    dataset, again = await in_thread(lambda: datasets.add_dataset(gateway.database, project, upload, request))
    if not again:
        gateway.waker.inspect(dataset.id)
    # Not waited for, as an upload is: another's server may take its time.
    return reply(dataset, 202, version=dataset.version, location=f"/v1/datasets/{dataset.id}")


def _format(asked: DatasetByUrl) -> Format:
    """What the file is, by its name.

    Raises:
        InvalidRequest: the name does not tell.
    """
    try:
        return format_of([asked.filename])
    except InvalidRequest as error:
        pointer = "/source/filename"
        hint = "" if asked.source.filename else "; the URL does not end with such a name, so say it in source.filename"
        raise InvalidRequest.of(
            [Fault(pointer=pointer, code=fault.code, message=fault.message + hint) for fault in error.faults]
        ) from error
