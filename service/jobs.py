"""Routes of jobs."""

from __future__ import annotations

import json
from functools import cache
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api_schemas.base import Time
from api_schemas.catalog.entry import schema_by_kind
from api_schemas.datasets import Dataset, Upload
from api_schemas.errors import Conflict, InvalidRequest, NotFound
from api_schemas.jobs import Job, JobSpec, JobState, Plan
from api_schemas.pages import Page
from api_schemas.plan import make_plan
from script.program import write_script
from service.gateway import Gateway, GatewayDependency, IdempotencyKey, ProjectDependency
from service.problems import documented
from service.replies import Cursor, KnownDependency, Limit, Text, document, in_thread, reply, unchanged, written_page
from service.standings import job_tag
from service.waiting import newest
from service.warm_start import initial_weights
from storage import jobs
from storage.datasets import get_dataset
from storage.idempotency import Once
from storage.listing import JobFilter, Listed
from storage.listing import list_jobs as read_list
from storage.pages import Sort
from storage.versions import job_standing

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=documented(404))


@router.post(
    "",
    status_code=202,
    response_model=None,
    responses={202: {"model": Job}, 200: {"model": Plan, "description": "What would run (`validate_only`)."}}
    | documented(400, 409, 413, 415, 429),
)
def submit_job(
    spec: JobSpec,
    gateway: GatewayDependency,
    project: ProjectDependency,
    key: IdempotencyKey,
    validate_only: Annotated[bool, Query(description="Check and plan, store nothing.")] = False,
) -> Response:
    """Submit a training job; it runs as soon as a worker is free."""
    dataset = dataset_of(gateway, project, spec)
    plan = make_plan(spec, dataset)
    init_sha256 = initial_weights(gateway, project, plan, dataset)
    if validate_only:
        return reply(plan)
    request = Once.of(key, "POST /v1/jobs", spec.model_dump_json()) if key else None
    most_queued = gateway.settings.project_queued
    job, again = jobs.submit(gateway.database, project, plan, request, init_sha256, most_queued)
    if not again:
        gateway.waker.wake(spec.resources.queue)
    return reply(job, 202, version=_tag(job), location=f"/v1/jobs/{job.id}")


@router.get("", response_model=None, responses={200: {"model": Page[Job]}})
def list_jobs(
    gateway: GatewayDependency,
    project: ProjectDependency,
    state: Annotated[list[JobState] | None, Query(description="Only in this state; may be repeated.")] = None,
    name: Annotated[Text | None, Query(max_length=200, description="Part of the name.")] = None,
    tag: Annotated[Text | None, Query(max_length=401, pattern=r"^[^:]+:.*$", description="`name:value`")] = None,
    dataset: Annotated[Text | None, Query(max_length=64, description="Only on this uploaded dataset.")] = None,
    created_after: Annotated[Time | None, Query()] = None,
    created_before: Annotated[Time | None, Query()] = None,
    sort: Annotated[Sort, Query()] = "-created_at",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """The jobs of the project, newest first."""
    tag_name, _, tag_value = tag.partition(":") if tag else ("", "", "")
    wanted = JobFilter(
        states=state or (),
        name=name,
        tag=(tag_name, tag_value) if tag else None,
        dataset=dataset,
        created_after=created_after,
        created_before=created_before,
    )
    found, following = read_list(gateway.database, project, wanted, limit=limit, cursor=cursor, sort=sort)
    return written_page([_written(gateway, project, job) for job in found], following)


@router.get(
    "/schema",
    response_model=None,
    responses={
        200: {"content": {"application/schema+json": {}}, "description": "A JSON Schema."},
        304: {"description": "Nothing changed."},
    },
)
def get_job_schema(_project: ProjectDependency, known: KnownDependency) -> Response:
    """What a job may say, as JSON Schema; a field that holds an entry of the catalog names its kind under `catalog`."""
    return document(_job_schema(), known, "application/schema+json")


@cache
def _job_schema() -> str:
    return json.dumps(schema_by_kind(JobSpec))


@router.get("/{job_id}", response_model=None, responses={200: {"model": Job}, 304: {"description": "Nothing changed."}})
async def get_job(
    job_id: str, gateway: GatewayDependency, project: ProjectDependency, known: KnownDependency
) -> Response:
    """One job. A poll with `If-None-Match` is cheap; `Prefer: wait=30` waits for change."""
    if known.compares or known.wait_seconds:
        version = await newest(gateway, known, job_id, lambda: job_standing(gateway.database, project, job_id))
        if known.has(version):
            return unchanged(version)
    job = await in_thread(lambda: gateway.line.stand(jobs.get_job(gateway.database, project, job_id), project))
    tag = _tag(job)
    return unchanged(tag) if known.has(tag) else reply(job, version=tag)


@router.get(
    "/{job_id}/script",
    response_model=None,
    responses={200: {"content": {"text/x-python": {}}}} | documented(409),
)
def get_script(job_id: str, gateway: GatewayDependency, project: ProjectDependency) -> Response:
    """A standalone PyTorch program that repeats the run, step by step and bit by bit.

    It needs torch, numpy, scikit-learn and nothing of Anneal. An uploaded file is given to it as its argument.
    """
    job = jobs.get_job(gateway.database, project, job_id)
    headers = {"Content-Disposition": f'attachment; filename="{job_id}.py"'}
    try:
        program = write_script(job, dataset_of(gateway, project, job.spec))
    except InvalidRequest as error:
        raise Conflict(f"the job's dataset is no longer as it was: {error.detail}") from error
    return Response(program, 200, headers, "text/x-python; charset=utf-8")


@router.delete("/{job_id}", status_code=204, response_model=None, responses=documented(409))
def delete_job(job_id: str, gateway: GatewayDependency, project: ProjectDependency) -> Response:
    """Delete a job that no worker has, with its curves and events."""
    jobs.delete_job(gateway.database, project, job_id)
    return Response(status_code=204)


@router.post("/{job_id}/cancel", response_model=None, responses={200: {"model": Job}})
def cancel_job(job_id: str, gateway: GatewayDependency, project: ProjectDependency, key: IdempotencyKey) -> Response:
    """Stop a job for good. One that has ended stays as it is."""
    job = jobs.cancel(gateway.database, project, job_id, _once(key, job_id, "cancel"))
    return reply(job, version=_tag(job))


@router.post("/{job_id}/pause", response_model=None, responses={200: {"model": Job}} | documented(409))
def pause_job(job_id: str, gateway: GatewayDependency, project: ProjectDependency, key: IdempotencyKey) -> Response:
    """Write a checkpoint and free the worker."""
    job = jobs.pause(gateway.database, project, job_id, _once(key, job_id, "pause"))
    return reply(job, version=_tag(job))


@router.post("/{job_id}/resume", response_model=None, responses={200: {"model": Job}} | documented(409, 429))
def resume_job(job_id: str, gateway: GatewayDependency, project: ProjectDependency, key: IdempotencyKey) -> Response:
    """Queue a paused job again; it goes on from its checkpoint."""
    most_queued = gateway.settings.project_queued
    job = jobs.resume(gateway.database, project, job_id, _once(key, job_id, "resume"), most_queued)
    gateway.waker.wake(job.spec.resources.queue)
    return reply(job, version=_tag(job))


def _written(gateway: Gateway, project: str, job: Listed) -> str:
    """A job of a list as JSON, with what it waits for if it does."""
    if job.course.state != "queued":
        return job.json()
    return job.json(gateway.line.waiting(job.course.id, job, project))


def _tag(job: Job) -> str:
    return job_tag(job.version, job.state, job.waiting)


def _once(key: str | None, job_id: str, verb: str) -> Once | None:
    return Once.of(key, f"POST /v1/jobs/{job_id}/{verb}") if key else None


def dataset_of(gateway: Gateway, project: str, spec: JobSpec) -> Dataset | None:
    """The upload that a spec names, read and ready; None where it names none.

    Raises:
        InvalidRequest: when there is none, or it failed.
        Conflict: while it is being read.
    """
    if not isinstance(spec.dataset, Upload):
        return None
    try:
        dataset = get_dataset(gateway.database, project, spec.dataset.id)
    except NotFound as error:
        raise InvalidRequest.at("/dataset/id", "unknown_dataset", error.detail) from error
    if dataset.state == "processing":
        raise Conflict(f"dataset {dataset.id} is still being read; try again in a second", retry_after_seconds=1)
    if dataset.state == "failed":
        reason = dataset.error.message if dataset.error else "it could not be read"
        raise InvalidRequest.at("/dataset/id", "failed_dataset", f"this dataset failed: {reason}")
    return dataset
