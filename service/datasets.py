"""Routes of datasets."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, File, Form, Query, UploadFile
from pydantic import TypeAdapter, ValidationError
from starlette.responses import Response

from api_schemas.base import Label
from api_schemas.datasets import ColumnChoice, ColumnChoices, Dataset, DatasetChange, DatasetFile, Preview
from api_schemas.errors import InvalidRequest
from api_schemas.formats import FORMATS, FileFormat, endings, format_of
from api_schemas.pages import Page
from api_schemas.sources import Host
from service import fetches
from service.gateway import Gateway, GatewayDependency, IdempotencyKey, ProjectDependency
from service.images import grid_svg, read_grid
from service.plot_paper import png
from service.problems import documented
from service.replies import Cursor, KnownDependency, Limit, Text, document, in_thread, page, reply, unchanged
from storage import datasets
from storage.artifacts import blocks
from storage.datasets import NewDataset
from storage.idempotency import Once
from storage.pages import Sort

router = APIRouter(prefix="/v1/datasets", tags=["datasets"], responses=documented(404))

READING_IS_AWAITED_SECONDS = 30.0
"""How long an upload waits to be read, so that a small file's faults are its own answer; a worker that has just started
may still be importing torch for most of it."""

_CHOICES: TypeAdapter[list[ColumnChoice]] = TypeAdapter(ColumnChoices)
_LABEL: TypeAdapter[str] = TypeAdapter(Label)

Target = Annotated[Text | None, Form(min_length=1, max_length=1000, description="The column to predict.")]
Columns = Annotated[str | None, Form(description="JSON list of corrections, as in PATCH.")]
ImageSize = Annotated[
    str | None,
    Form(description="Height and width to which images are resized, such as 32x48; by default the usual size."),
]


@router.post(
    "",
    status_code=202,
    response_model=None,
    responses={202: {"model": Dataset}} | documented(400, 413, 415),
    openapi_extra=fetches.BODY,
)
async def upload_dataset(
    file: Annotated[
        list[UploadFile],
        File(description=f"Told by its name: {endings()}. Again for more files."),
    ],
    gateway: GatewayDependency,
    project: ProjectDependency,
    key: IdempotencyKey,
    name: Annotated[str | None, Form(description="A name for people; the file's by default.")] = None,
    target: Target = None,
    columns: Columns = None,
    image_size: ImageSize = None,
) -> Response:
    """Upload a table, arrays or images, or as JSON say where a worker shall fetch them.

    A worker reads them; where an upload takes it seconds, the answer has what it found.
    """
    choices = _choices(columns, image_size)
    format_ = format_of([part.filename or "" for part in file])
    label = _label(name or file[0].filename or "untitled")
    files = [await in_thread(lambda part=part: _stored(gateway, part)) for part in file]
    upload = NewDataset(label, format_, files, target, choices)
    asked = f"{upload.sha256} {label} {format_} {target} {columns} {image_size}"
    request = Once.of(key, "POST /v1/datasets", asked) if key else None
    dataset, again = await in_thread(lambda: datasets.add_dataset(gateway.database, project, upload, request))
    if not again:
        gateway.waker.inspect(dataset.id)
    dataset = await _read(gateway, project, dataset, request)
    return reply(dataset, 202, version=dataset.version, location=f"/v1/datasets/{dataset.id}")


@router.get("", response_model=None, responses={200: {"model": Page[Dataset]}})
def list_datasets(
    gateway: GatewayDependency,
    project: ProjectDependency,
    sort: Sort = "-created_at",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """The datasets of the project, newest first."""
    found, following = datasets.list_datasets(gateway.database, project, limit=limit, cursor=cursor, sort=sort)
    return page(found, following, Dataset)


@router.get(
    "/formats",
    response_model=None,
    responses={200: {"model": Page[FileFormat]}, 304: {"description": "Nothing changed."}},
)
def list_formats(_project: ProjectDependency, known: KnownDependency) -> Response:
    """The kinds of files that can be datasets."""
    return document(Page[FileFormat](data=list(FORMATS), has_more=False).model_dump_json(), known)


@router.get(
    "/hosts", response_model=None, responses={200: {"model": Page[Host]}, 304: {"description": "Nothing changed."}}
)
def list_hosts(gateway: GatewayDependency, _project: ProjectDependency, known: KnownDependency) -> Response:
    """The hosts that datasets may be fetched from by URL; none where the operator allows no such thing."""
    hosts = [Host(pattern=pattern) for pattern in gateway.settings.fetch_from]
    return document(Page[Host](data=hosts, has_more=False).model_dump_json(), known)


@router.get(
    "/{dataset_id}",
    response_model=None,
    responses={200: {"model": Dataset}, 304: {"description": "Nothing changed."}},
)
async def get_dataset(
    dataset_id: str, gateway: GatewayDependency, project: ProjectDependency, known: KnownDependency
) -> Response:
    """One dataset: its state, columns, statistics and warnings."""
    dataset = await in_thread(lambda: datasets.get_dataset(gateway.database, project, dataset_id))
    if known.wait_seconds and not dataset.terminal and (known.has(dataset.version) or not known.compares):
        await gateway.watch.change(dataset_id, dataset.version, known.wait_seconds)
        dataset = await in_thread(lambda: datasets.get_dataset(gateway.database, project, dataset_id))
    if known.has(dataset.version):
        return unchanged(dataset.version)
    return reply(dataset, version=dataset.version)


@router.get("/{dataset_id}/preview", response_model=None, responses={200: {"model": Preview}} | documented(409))
def get_preview(dataset_id: str, gateway: GatewayDependency, project: ProjectDependency) -> Response:
    """The first rows."""
    return reply(datasets.get_preview(gateway.database, project, dataset_id))


@router.get(
    "/{dataset_id}/images.png",
    response_model=None,
    responses={200: {"content": {"image/png": {}}}} | documented(409),
)
def get_images(
    dataset_id: str,
    gateway: GatewayDependency,
    project: ProjectDependency,
    label: Annotated[Text | None, Query(alias="class", max_length=1000, description="A class; by default all.")] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="Most images.")] = 50,
) -> Response:
    """The first images of a dataset, or of one class, as one picture to look at."""
    dataset, arrays = datasets.get_arrays(gateway.database, project, dataset_id)
    grid = read_grid(gateway.artifacts.path(arrays), dataset, label, limit)
    return Response(png(grid_svg(grid)), 200, {"Cache-Control": "no-cache"}, "image/png")


@router.patch(
    "/{dataset_id}", response_model=None, responses={200: {"model": Dataset}} | documented(400, 409, 413, 415)
)
async def change_dataset(
    dataset_id: str, change: DatasetChange, gateway: GatewayDependency, project: ProjectDependency
) -> Response:
    """Correct what was inferred: a column's type, role, or what to do where its values are missing."""
    dataset, reread = await in_thread(lambda: datasets.change_dataset(gateway.database, project, dataset_id, change))
    if reread:
        gateway.waker.inspect(dataset.id)
        dataset = await _until_read(gateway, project, dataset)
    return reply(dataset, version=dataset.version)


@router.delete("/{dataset_id}", status_code=204, response_model=None, responses=documented(409))
def delete_dataset(dataset_id: str, gateway: GatewayDependency, project: ProjectDependency) -> Response:
    """Forget a dataset that no unfinished job needs."""
    datasets.delete_dataset(gateway.database, project, dataset_id)
    return Response(status_code=204)


async def _read(gateway: Gateway, project: str, dataset: Dataset, request: Once | None) -> Dataset:
    """The dataset as it was read; one that cannot be is refused and forgotten with its key, if that is known in time.

    Raises:
        InvalidRequest: with what is wrong with the file.
    """
    dataset = await _until_read(gateway, project, dataset)
    if dataset.error:
        await in_thread(lambda: datasets.delete_dataset(gateway.database, project, dataset.id, request))
        raise InvalidRequest.of([dataset.error])
    return dataset


async def _until_read(gateway: Gateway, project: str, dataset: Dataset) -> Dataset:
    """The dataset once it has been read, or as it is after a while."""
    identifier, deadline = dataset.id, time.monotonic() + READING_IS_AWAITED_SECONDS
    changed = True
    while changed and not dataset.terminal:
        changed = await gateway.watch.change(identifier, dataset.version, deadline - time.monotonic())
        dataset = await in_thread(lambda: datasets.get_dataset(gateway.database, project, identifier))
    return dataset


def _stored(gateway: Gateway, file: UploadFile) -> DatasetFile:
    """Keep one file of an upload.

    Raises:
        InvalidRequest: it is empty.
    """
    name = file.filename or "untitled"
    artifact = gateway.artifacts.put(blocks(file.file))
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
