"""Routes of events: a list, or a stream that ends with the job."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from anyio import sleep
from fastapi import APIRouter, Header, Query
from starlette.responses import Response, StreamingResponse

from api_schemas.errors import NotFound, Unavailable
from api_schemas.jobs import Event
from api_schemas.pages import Page
from service.gateway import Gateway, GatewayDependency, ProjectDependency
from service.problems import documented
from service.replies import in_thread, reply
from storage.jobs import get_events

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["events"], responses=documented(404))

HEARTBEAT_SECONDS = 15.0

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
    if "text/event-stream" in accept:
        await gateway.following.behind(project, job_id, start)  # there is such a job
        stream = _stream(gateway, project, job_id, start)
        return StreamingResponse(stream, 200, {"Cache-Control": "no-store"}, "text/event-stream")
    _, events = await in_thread(lambda: get_events(gateway.database, project, job_id, start, limit + 1))
    following = str(events[limit - 1].id) if len(events) > limit else None
    return reply(Page[Event](data=events[:limit], has_more=following is not None, next_cursor=following))


async def _stream(gateway: Gateway, project: str, job_id: str, after: int) -> AsyncIterator[str]:
    while not gateway.watch.closing:
        try:
            told = await gateway.following.behind(project, job_id, after)
        except Unavailable as error:
            yield ": the database is away; this goes on when it is back\n\n"
            await sleep(error.retry_after_seconds or 1)
            continue
        except NotFound:  # it was deleted; whoever comes back hears that
            return
        if told.text:
            after = told.last
            yield told.text
        if told.more:
            continue
        yield told.standing
        if told.ended:
            return
        while not await gateway.watch.change(job_id, told.version, HEARTBEAT_SECONDS):
            if gateway.watch.closing:
                return
            yield ": still here\n\n"
