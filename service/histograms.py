"""Route of the histogram of a column."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from api_schemas.errors import Conflict, NotFound
from api_schemas.nearest import nearest
from service.gateway import GatewayDependency, ProjectDependency
from service.plot_histogram import histogram_svg
from service.problems import documented
from service.replies import KnownDependency, etag, unchanged
from storage import datasets

router = APIRouter(prefix="/v1/datasets/{dataset_id}", tags=["datasets"], responses=documented(404))


@router.get(
    "/columns/{name:path}/histogram.svg",
    response_model=None,
    responses={200: {"content": {"image/svg+xml": {}}}, 304: {"description": "Nothing changed."}} | documented(409),
)
def get_histogram_svg(
    dataset_id: str, name: str, gateway: GatewayDependency, project: ProjectDependency, known: KnownDependency
) -> Response:
    """How often the values of a column occur, as a picture; the numbers stand in the column's `stats`."""
    dataset = datasets.get_dataset(gateway.database, project, dataset_id)
    if known.has(dataset.version):
        return unchanged(dataset.version)
    columns = {column.name: column for column in dataset.columns}
    if name not in columns:
        raise NotFound(f"the dataset has no column {name!r}; {nearest(name, list(columns))}")
    svg = histogram_svg(columns[name], f"{dataset.name} · {dataset.rows or 0:,} rows")
    if svg is None:
        raise Conflict(f"the values of column {name!r} are not counted: it holds text, arrays or one number only")
    return Response(svg, 200, {"ETag": etag(dataset.version), "Cache-Control": "no-cache"}, "image/svg+xml")
