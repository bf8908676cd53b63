"""Routes for whoever runs Anneal: workers, health, measurements."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from api_schemas.errors import AnnealError
from api_schemas.pages import Page
from api_schemas.workers import Health, Worker
from service.gateway import Gateway, GatewayDependency, ProjectDependency
from service.observation import JOBS, measurements
from service.replies import page, reply
from storage import jobs, migrations
from storage.queue import redis_url
from storage.workers import list_workers

router = APIRouter(tags=["operations"])

_BROKER_PATIENCE_SECONDS = 1.0


@router.get("/v1/workers", response_model=None, responses={200: {"model": Page[Worker]}})
def get_workers(gateway: GatewayDependency, project: ProjectDependency) -> Response:
    """The workers, and which of your jobs each of them trains."""
    return page(list_workers(gateway.database, project), None, Worker)


@router.get("/healthz", response_model=None, responses={200: {"model": Health}})
async def get_health() -> Response:
    """Whether this process answers at all."""
    return reply(Health(status="ok", checks={}))


@router.get(
    "/readyz",
    response_model=None,
    responses={200: {"model": Health}, 503: {"model": Health, "description": "Something is missing."}},
)
def get_readiness(gateway: GatewayDependency) -> Response:
    """Whether the database has the schema that this code needs and the broker answers."""
    checks = {"database": _check(lambda: _database(gateway)), "broker": _check(lambda: _broker(gateway))}
    ready = all(found == "ok" for found in checks.values())
    return reply(Health(status="ok" if ready else "unavailable", checks=checks), 200 if ready else 503)


@router.get("/metrics", response_model=None, responses={200: {"content": {"text/plain": {}}}})
def get_measurements(gateway: GatewayDependency, _project: ProjectDependency) -> Response:
    """Requests to all processes of this gateway and jobs, for Prometheus."""
    for state, count in jobs.count_by_state(gateway.database).items():
        JOBS.labels(state).set(count)
    return Response(measurements(), 200, media_type=CONTENT_TYPE_LATEST)


def _check(look: Callable[[], str]) -> str:
    try:
        return look()
    except AnnealError as error:
        return error.detail


def _database(gateway: Gateway) -> str:
    schema = migrations.current(gateway.database)
    return "ok" if schema == migrations.newest() else migrations.what_differs(schema)


def _broker(gateway: Gateway) -> str:
    from redis import Redis  # noqa: PLC0415  # a twentieth of the gateway's start, which need not wait for it
    from redis.exceptions import RedisError  # noqa: PLC0415

    patience = {
        "socket_timeout": _BROKER_PATIENCE_SECONDS,
        "socket_connect_timeout": _BROKER_PATIENCE_SECONDS,
        "retry": None,
    }
    try:
        with Redis.from_url(redis_url(gateway.settings.broker), **patience) as broker:
            broker.ping()
    except RedisError as error:
        return f"the broker does not answer: {type(error).__name__}"
    return "ok"
