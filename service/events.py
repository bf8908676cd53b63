"""Routes of events: a list, or a stream that ends with the job."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated

from anyio import sleep
from fastapi import APIRouter, Header, Query
from starlette.responses import Response, StreamingResponse

from api_schemas.errors import NotFound, Unavailable
from api_schemas.jobs import Event, Job
from api_schemas.pages import Page
from service.gateway import Gateway, GatewayDependency, ProjectDependency
from service.problems import documented
from service.replies import in_thread, reply
from storage.jobs import get_events

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["events"], responses=documented(404))

HEARTBEAT_SECONDS = 15.0
_BATCH = 100
"""Events that are read and sent at a time: so many are in memory for each listener that catches up."""

After = Annotated[int | None, Query(ge=0, le=2**62, description="Only events with a higher id.")]


@router.get(
    "/events",
    response_model=None,
    responses={
        200: {
            "model": Page[Event],
            "content": {
                "text/event-stream": {
                    "schema": {"type": "string"},
                    "example": 'id: 3\nevent: state\ndata: {"state": "running"}\n\n',
                }
            },
        }
    },
)
async def get_job_events(
    job_id: str,
    gateway: GatewayDependency,
    project: ProjectDependency,
    after: After = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    accept: Annotated[str, Header()] = "",
    last_event_id: Annotated[str | None, Header(description="Where a broken stream goes on.")] = None,
) -> Response:
    """What happened to a job. With `Accept: text/event-stream` as it happens.

    The stream has the log's events, each with its id; between them `progress` hints without one, when the job moved
    on; a comment now and then to keep the line alive; and one `end` when the job has ended and all was said.
    """
    start = int(last_event_id) if last_event_id and last_event_id.isdecimal() and after is None else after or 0
    job, events = await in_thread(lambda: get_events(gateway.database, project, job_id, start, limit + 1))
    if "text/event-stream" in accept:
        stream = _stream(gateway, project, job, start)
        return StreamingResponse(stream, 200, {"Cache-Control": "no-store"}, "text/event-stream")
    following = str(events[limit - 1].id) if len(events) > limit else None
    return reply(Page[Event](data=events[:limit], has_more=following is not None, next_cursor=following))


async def _stream(gateway: Gateway, project: str, job: Job, after: int) -> AsyncIterator[str]:
    while not gateway.watch.closing:
        try:
            job, events = await in_thread(partial(get_events, gateway.database, project, job.id, after, _BATCH))
        except Unavailable as error:
            yield ": the database is away; this goes on when it is back\n\n"
            await sleep(error.retry_after_seconds or 1)
            continue
        except NotFound:  # it was deleted; whoever comes back hears that
            return
        if events:
            after = events[-1].id
            yield "".join(_told(event) for event in events)
        if len(events) == _BATCH:
            continue
        if job.terminal:
            yield _message("end", {"state": job.state})
            return
        progress = {"state": job.state, "step": job.progress.step, "total_steps": job.progress.total_steps}
        yield _message("progress", {**progress, "version": job.version})
        while not await gateway.watch.change(job.id, job.version, HEARTBEAT_SECONDS):
            if gateway.watch.closing:
                return
            yield ": still here\n\n"


def _told(event: Event) -> str:
    return _message(event.type, {"at": event.model_dump(mode="json")["at"], **event.data}, event.id)


def _message(kind: str, data: dict[str, str | int | float | None], number: int | None = None) -> str:
    head = f"id: {number}\n" if number is not None else ""
    return f"{head}event: {kind}\ndata: {json.dumps(data)}\n\n"
