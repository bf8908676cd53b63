"""Routes of architectures: a job's network as a picture."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from api_schemas.catalog.layers import parameter_count
from api_schemas.datasets import Dataset
from api_schemas.errors import Conflict, InvalidRequest
from api_schemas.jobs import JobSpec
from api_schemas.plan import architecture, make_plan
from service.gateway import GatewayDependency, ProjectDependency
from service.jobs import dataset_of
from service.plot_network import network_svg
from service.plot_paper import png
from service.problems import documented
from service.replies import KnownDependency, document
from storage import jobs

router = APIRouter(prefix="/v1", tags=["jobs"])

_SVG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/svg+xml": {}}}}
_UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "Nothing changed."}}


@router.post("/architecture.svg", response_model=None, responses=_SVG | documented(400, 409, 413, 415))
def draw_architecture(spec: JobSpec, gateway: GatewayDependency, project: ProjectDependency) -> Response:
    """The network that a job would train, as a picture; nothing is stored."""
    dataset = dataset_of(gateway, project, spec)
    plan = make_plan(spec, dataset)
    return Response(_drawn(plan.spec, dataset), 200, {"Cache-Control": "no-cache"}, "image/svg+xml")


@router.get("/jobs/{job_id}/architecture.svg", response_model=None, responses=_SVG | _UNCHANGED | documented(404, 409))
def get_architecture_svg(
    job_id: str, gateway: GatewayDependency, project: ProjectDependency, known: KnownDependency
) -> Response:
    """The job's network, layer by layer: what leaves each, and how many parameters it has."""
    return document(_of_job(job_id, gateway, project), known, "image/svg+xml")


@router.get(
    "/jobs/{job_id}/architecture.png",
    response_model=None,
    responses={200: {"content": {"image/png": {}}}} | documented(404, 409),
)
def get_architecture_png(job_id: str, gateway: GatewayDependency, project: ProjectDependency) -> Response:
    """The job's network as a picture for a document."""
    picture = png(_of_job(job_id, gateway, project))
    return Response(picture, 200, {"Cache-Control": "no-cache"}, "image/png")


def _of_job(job_id: str, gateway: GatewayDependency, project: ProjectDependency) -> str:
    spec = jobs.get_job(gateway.database, project, job_id).spec
    try:
        return _drawn(spec, dataset_of(gateway, project, spec))
    except InvalidRequest as error:
        raise Conflict(f"the job's dataset is no longer as it was: {error.detail}") from error


def _drawn(spec: JobSpec, dataset: Dataset | None) -> str:
    network, shape = architecture(spec, dataset)
    about = f"{spec.model.name}, {parameter_count(network):,} parameters"
    return network_svg(spec.name, about, network, shape)
