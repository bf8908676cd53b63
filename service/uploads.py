"""Routes that datasets are uploaded by: as a form, or as the body itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Annotated, Any

from anyio import CapacityLimiter, from_thread, to_thread
from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from pydantic import TypeAdapter, ValidationError
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from api_schemas.base import Label
from api_schemas.datasets import ColumnChoice, ColumnChoices, Dataset, DatasetFile
from api_schemas.errors import InvalidRequest, MalformedRequest
from api_schemas.formats import endings, format_of, is_marker
from service import fetches
from service.bodies import FileRoute, media_type
from service.dataset_work import until_read
from service.gateway import Gateway, GatewayDependency, IdempotencyKey, ProjectDependency
from service.problems import documented
from service.replies import Text, in_thread, reply
from storage import datasets
from storage.artifacts import blocks
from storage.datasets import NewDataset
from storage.idempotency import Once

_CHOICES: TypeAdapter[list[ColumnChoice]] = TypeAdapter(ColumnChoices)
_LABEL: TypeAdapter[str] = TypeAdapter(Label)

_FILENAME = "What the file is called, which tells what it is; by default as its content type says."
_SIZE = "Height and width to which images are resized, such as 32x48; by default the usual size."
_BY_MEDIA_TYPE = {
    "text/csv": "upload.csv",
    "text/tab-separated-values": "upload.tsv",
    "application/vnd.apache.parquet": "upload.parquet",
    "application/vnd.apache.arrow.file": "upload.arrow",
    "application/jsonl": "upload.jsonl",
    "application/x-ndjson": "upload.jsonl",
    "application/zip": "upload.zip",
    "text/plain": "upload.txt",
}
_BODIES = CapacityLimiter(64)
"""A body takes a thread for as long as its client takes to send it; these are not the threads of the other routes."""

_forms = APIRouter(prefix="/v1/datasets", tags=["datasets"])
_files = APIRouter(prefix="/v1/datasets", route_class=FileRoute)


def _parameter(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": {"type": "string"}}


_FILE = {"schema": {"type": "string", "format": "binary"}}
_BODY: dict[str, Any] = {
    "requestBody": {
        "content": fetches.BODY["requestBody"]["content"]
        | dict.fromkeys(["application/octet-stream", "text/csv"], _FILE)
    },
    "parameters": [
        _parameter("filename", f"Of a body that is the file itself. {_FILENAME}"),
        *(
            _parameter(name, "Of a body that is the file itself: as in the form.")
            for name in ("name", "target", "columns", "image_size")
        ),
    ],
}
"""What the description of the route for forms says of those for other bodies."""


@_forms.post(
    "",
    status_code=202,
    response_model=None,
    responses={202: {"model": Dataset}} | documented(400, 404, 413, 415),
    openapi_extra=_BODY,
)
async def upload_dataset(
    file: Annotated[list[UploadFile], File(description=f"Told by its name: {endings()}. Again for more files.")],
    gateway: GatewayDependency,
    project: ProjectDependency,
    key: IdempotencyKey,
    name: Annotated[str | None, Form(description="A name for people; the file's by default.")] = None,
    target: Annotated[Text | None, Form(min_length=1, max_length=1000, description="The column to predict.")] = None,
    columns: Annotated[str | None, Form(description="JSON list of corrections, as in PATCH.")] = None,
    image_size: Annotated[str | None, Form(description=_SIZE)] = None,
) -> Response:
    """Upload a table, arrays or images, as a form or as the body itself, or say as JSON where to fetch them.

    A worker reads them; where an upload takes it seconds, the answer has what it found.
    """
    file = [part for part in file if not is_marker(part.filename or "")] or file
    choices = _choices(columns, image_size)
    format_ = format_of([part.filename or "" for part in file])
    label = _label(name or file[0].filename or "untitled")
    files = [await in_thread(lambda part=part: _stored(gateway, part.filename, blocks(part.file))) for part in file]
    return await _add(gateway, project, key, NewDataset(label, format_, files, target, choices))


@_files.post("", status_code=202, response_model=None, include_in_schema=False)
async def upload_file(
    request: Request,
    gateway: GatewayDependency,
    project: ProjectDependency,
    key: IdempotencyKey,
    filename: Annotated[Text | None, Query(max_length=200)] = None,
    name: Annotated[str | None, Query()] = None,
    target: Annotated[Text | None, Query(min_length=1, max_length=1000)] = None,
    columns: Annotated[str | None, Query()] = None,
    image_size: Annotated[str | None, Query()] = None,
) -> Response:
    """Take a body that is the file, block by block to where it is kept."""
    choices = _choices(columns, image_size)
    filename = filename or _BY_MEDIA_TYPE.get(media_type(request.scope))
    if filename is None:
        raise InvalidRequest.at("query:filename", "missing", "say what the file is, as in ?filename=data.csv")
    format_, label = format_of([filename]), _label(name or filename)
    store = partial(_stored, gateway, filename, _blocks_of_body(request))
    file = await to_thread.run_sync(store, limiter=_BODIES)
    return await _add(gateway, project, key, NewDataset(label, format_, [file], target, choices))


router = APIRouter()
router.include_router(_files)
router.include_router(_forms)


async def _add(gateway: Gateway, project: str, key: str | None, upload: NewDataset) -> Response:
    request = Once.of(key, "POST /v1/datasets", repr(upload)) if key else None
    dataset, again = await in_thread(lambda: datasets.add_dataset(gateway.database, project, upload, request))
    if not again:
        gateway.waker.inspect(dataset.id)
    dataset = await _read(gateway, project, dataset, request)
    return reply(dataset, 202, version=dataset.version, location=f"/v1/datasets/{dataset.id}")


async def _read(gateway: Gateway, project: str, dataset: Dataset, request: Once | None) -> Dataset:
    """The dataset as it was read; one that cannot be is refused and forgotten with its key, if that is known in time.

    Raises:
        InvalidRequest: with what is wrong with the file.
    """
    dataset = await until_read(gateway, project, dataset)
    if dataset.error:
        await in_thread(lambda: datasets.delete_dataset(gateway.database, project, dataset.id, request))
        raise InvalidRequest.of([dataset.error])
    return dataset


def _blocks_of_body(request: Request) -> Iterator[bytes]:
    """A body as it comes, for a thread beside the event loop.

    Raises:
        MalformedRequest: the client left before its end.
    """
    stream = request.stream()

    async def following() -> bytes:
        return await anext(stream, b"")

    try:
        while block := from_thread.run(following):
            yield block
    except ClientDisconnect as error:
        raise MalformedRequest("the body breaks off; send it again") from error


def _stored(gateway: Gateway, name: str | None, content: Iterable[bytes]) -> DatasetFile:
    """Keep one file of an upload.

    Raises:
        InvalidRequest: it is empty.
    """
    name = name or "untitled"
    artifact = gateway.artifacts.put(content)
    if artifact.bytes == 0:
        gateway.artifacts.delete(artifact.sha256)
        raise InvalidRequest.at("/file", "empty_file", f"{name!r} is empty; upload a file that holds some rows")
    return DatasetFile(name=name, sha256=artifact.sha256, bytes=artifact.bytes)


def _label(name: str) -> str:
    try:
        return _LABEL.validate_python(name)
    except ValidationError as error:
        message = "a name has 1 to 200 printable characters"
        raise InvalidRequest.at("/name", "bad_name", message) from error


def _choices(columns: str | None, image_size: str | None) -> list[ColumnChoice]:
    resized = [_resized(image_size)] if image_size else []
    if columns is None:
        return resized
    try:
        return _CHOICES.validate_json(columns) + resized
    except ValidationError as error:
        first = error.errors()[0]
        place = "".join(f"/{step}" for step in first["loc"])
        raise InvalidRequest.at(f"/columns{place}", "bad_columns", first["msg"]) from error


def _resized(image_size: str) -> ColumnChoice:
    """What a height and a width, or one number for both, say of the column of images."""
    try:
        sides = [int(side) for side in image_size.lower().split("x")]
        return ColumnChoice.model_validate({"name": "x", "size": sides * 2 if len(sides) == 1 else sides})
    except ValueError as error:
        message = "an image_size is a height and a width of 1 to 4096 pixels, such as 32x48, or one number for both"
        raise InvalidRequest.at("/image_size", "bad_image_size", message) from error
