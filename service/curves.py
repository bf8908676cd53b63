"""Routes of curves: as numbers, as files, as a picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import TypeAdapter, ValidationError
from starlette.responses import Response, StreamingResponse

from api_schemas.catalog.metrics import leading
from api_schemas.curves import Metrics, SeriesKey
from api_schemas.errors import InvalidRequest
from service.gateway import GatewayDependency, ProjectDependency
from service.parquet import parquet
from service.plot import curve_svg
from service.plot_paper import png
from service.problems import documented
from service.replies import KnownDependency, etag, in_thread, unchanged
from service.waiting import newest
from storage import jobs
from storage.metrics import read_curves, read_metrics, stream_points
from storage.points import Stretch
from storage.versions import job_standing

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["curves"], responses=documented(404))

Step = Annotated[int | None, Query(ge=0, le=2**62)]

_KEYS = TypeAdapter(list[SeriesKey])
_PICTURE_POINTS = 800
_PARQUET = "application/vnd.apache.parquet"


@router.get(
    "/metrics", response_model=None, responses={200: {"model": Metrics}, 304: {"description": "Nothing changed."}}
)
async def get_metrics(
    job_id: str,
    gateway: GatewayDependency,
    project: ProjectDependency,
    known: KnownDependency,
    keys: Annotated[str | None, Query(description="Series, separated by commas; all by default.")] = None,
    from_step: Step = None,
    to_step: Step = None,
    max_points: Annotated[int | None, Query(ge=2, le=100_000, description="Most values of a series.")] = None,
) -> Response:
    """The curves of a job while they grow. Ranges are inclusive; too many points are given in buckets."""
    wanted = _series_keys(keys)
    version = await newest(gateway, known, job_id, lambda: job_standing(gateway.database, project, job_id))
    if known.has(version):
        return unchanged(version)

    def written() -> tuple[bytes, int]:
        curves = read_curves(gateway.database, project, job_id, wanted, from_step, to_step, max_points)
        return curves.json(), curves.version

    body, version = await in_thread(written)
    return Response(body, 200, {"ETag": etag(version), "Cache-Control": "no-cache"}, "application/json")


@router.get("/metrics.csv", response_model=None, responses={200: {"content": {"text/csv": {}}}})
def get_metrics_csv(
    job_id: str, gateway: GatewayDependency, project: ProjectDependency, keys: str | None = None
) -> Response:
    """Every point of every series as `key,step,value`."""
    return _stream("csv", job_id, gateway, project, keys)


@router.get("/metrics.jsonl", response_model=None, responses={200: {"content": {"application/jsonl": {}}}})
def get_metrics_jsonl(
    job_id: str, gateway: GatewayDependency, project: ProjectDependency, keys: str | None = None
) -> Response:
    """Every point of every series as a line of JSON; a value that is not finite is null and spelled in `nonfinite`."""
    return _stream("jsonl", job_id, gateway, project, keys)


@router.get("/metrics.parquet", response_model=None, responses={200: {"content": {_PARQUET: {}}}})
def get_metrics_parquet(
    job_id: str, gateway: GatewayDependency, project: ProjectDependency, keys: str | None = None
) -> Response:
    """Every point of every series as a row of `key`, `step` and `value`, for pandas, polars, DuckDB and the like."""
    return _stream("parquet", job_id, gateway, project, keys)


@router.get("/curve.svg", response_model=None, responses={200: {"content": {"image/svg+xml": {}}}})
def get_curve_svg(
    job_id: str, gateway: GatewayDependency, project: ProjectDependency, known: KnownDependency
) -> Response:
    """The losses as a picture that any browser shows, light or dark."""
    return _picture("svg", job_id, gateway, project, known)


@router.get("/curve.png", response_model=None, responses={200: {"content": {"image/png": {}}}})
def get_curve_png(
    job_id: str, gateway: GatewayDependency, project: ProjectDependency, known: KnownDependency
) -> Response:
    """The losses as a picture for a document."""
    return _picture("png", job_id, gateway, project, known)


def _picture(
    form: Literal["svg", "png"],
    job_id: str,
    gateway: GatewayDependency,
    project: ProjectDependency,
    known: KnownDependency,
) -> Response:
    version = job_standing(gateway.database, project, job_id).version
    if known.has(version):
        return unchanged(version)
    metrics, version = read_metrics(gateway.database, project, job_id, max_points=_PICTURE_POINTS)
    job = jobs.get_job(gateway.database, project, job_id)
    svg = curve_svg(job.name, f"{job.id} · {job.state}: {job.state_reason}", metrics, metric=leading(job.metrics))
    headers = {"ETag": etag(version), "Cache-Control": "no-cache"}
    if form == "svg":
        return Response(svg, 200, headers, "image/svg+xml")
    return Response(png(svg), 200, headers, "image/png")


def _stream(
    form: Literal["csv", "jsonl", "parquet"],
    job_id: str,
    gateway: GatewayDependency,
    project: ProjectDependency,
    keys: str | None,
) -> Response:
    wanted = _series_keys(keys)
    job_standing(gateway.database, project, job_id)  # a job that does not exist is a 404, not an empty file
    points = stream_points(gateway.database, project, job_id, wanted)
    headers = {"Content-Disposition": f'attachment; filename="{job_id}.{form}"'}
    if form == "parquet":
        return StreamingResponse(parquet(points), 200, headers, _PARQUET)
    media_type = "text/csv" if form == "csv" else "application/jsonl"
    return StreamingResponse(_lines(form, points), 200, headers, media_type)


def _lines(form: Literal["csv", "jsonl"], points: Iterator[tuple[str, Stretch]]) -> Iterator[str]:
    if form == "csv":
        yield "key,step,value\n"
    for key, part in points:
        pairs = zip(part.steps.tolist(), part.values.tolist(), strict=True)
        if form == "csv":
            yield "".join(f"{key},{step},{value!r}\n" for step, value in pairs)
        else:
            yield "".join(_json_line(key, step, value) for step, value in pairs)


def _json_line(key: str, step: int, value: float) -> str:
    if value - value == 0:
        return f'{{"key":"{key}","step":{step},"value":{value!r}}}\n'
    return f'{{"key":"{key}","step":{step},"value":null,"nonfinite":"{value!r}"}}\n'


def _series_keys(keys: str | None) -> list[str] | None:
    if keys is None:
        return None
    try:
        return _KEYS.validate_python([key for key in keys.split(",") if key])
    except ValidationError as error:
        message = "series have names such as train/loss, separated by commas"
        raise InvalidRequest.at("query:keys", "bad_series_key", message) from error
