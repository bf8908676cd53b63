"""Waiting for what a worker does with a model."""

from __future__ import annotations

from starlette.responses import Response

from api_schemas.errors import InvalidRequest
from api_schemas.model_tasks import Asked
from api_schemas.predictions import Pending
from service.gateway import Gateway
from service.replies import in_thread
from storage import model_tasks
from storage.model_tasks import ModelTask

ANSWER_IS_AWAITED_SECONDS = 30.0
"""How long a request waits for a worker's answer; a worker that has just started may be importing torch meanwhile."""
_ASK_AGAIN_SECONDS = 1


async def ask(gateway: Gateway, project: str, job_id: str, asked: Asked) -> ModelTask:
    """Ask something of a job's model, and wait for the answer.

    Returns:
        The task, done, or still waiting where the worker takes longer than a request should.

    Raises:
        NotFound: this project has no such job.
        Conflict: the job has no model, or none yet.
        InvalidRequest: with why there is no answer.
    """
    task = await in_thread(lambda: model_tasks.ask(gateway.database, project, job_id, asked))
    if task.state == "waiting":
        gateway.waker.answer(task.id)
    return await answered(gateway, project, task)


async def answered(gateway: Gateway, project: str, task: ModelTask) -> ModelTask:
    """The task once it is done, or as it is when the time is up; raises as `ask` does."""
    if task.state == "waiting":
        await gateway.watch.change(task.id, task.version, ANSWER_IS_AWAITED_SECONDS, soon=True)
        task = await in_thread(lambda: model_tasks.get_task(gateway.database, project, task.id))
    if task.state == "failed":
        raise InvalidRequest.of(task.faults)
    return task


def pending(detail: str, location: str) -> Response:
    """202: the answer will be at `location`."""
    headers = {"Location": location, "Retry-After": str(_ASK_AGAIN_SECONDS), "Cache-Control": "no-store"}
    return Response(Pending(detail=detail).model_dump_json(), 202, headers, "application/json")
