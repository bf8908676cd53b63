"""Routes of datasets."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api_schemas.datasets import Dataset, DatasetChange, Preview
from api_schemas.formats import FORMATS, FileFormat
from api_schemas.pages import Page
from api_schemas.sources import Host
from service.dataset_work import until_read
from service.gateway import GatewayDependency, ProjectDependency
from service.images import grid_svg, read_grid
from service.plot_paper import png
from service.problems import documented
from service.replies import Cursor, KnownDependency, Limit, Text, document, in_thread, page, reply, unchanged
from service.waiting import newest
from storage import datasets
from storage.pages import Sort
from storage.versions import dataset_standing

router = APIRouter(prefix="/v1/datasets", tags=["datasets"], responses=documented(404))


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
    version = await newest(gateway, known, dataset_id, lambda: dataset_standing(gateway.database, project, dataset_id))
    if known.has(version):
        return unchanged(version)
    dataset = await in_thread(lambda: datasets.get_dataset(gateway.database, project, dataset_id))
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
        dataset = await until_read(gateway, project, dataset)
    return reply(dataset, version=dataset.version)


@router.delete("/{dataset_id}", status_code=204, response_model=None, responses=documented(409))
def delete_dataset(dataset_id: str, gateway: GatewayDependency, project: ProjectDependency) -> Response:
    """Forget a dataset that no unfinished job needs."""
    datasets.delete_dataset(gateway.database, project, dataset_id)
    return Response(status_code=204)
