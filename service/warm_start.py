"""The weights that a job begins with, checked against the network that the job trains."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from api_schemas.catalog.layers import parameter_shapes
from api_schemas.datasets import Dataset
from api_schemas.errors import Conflict, Fault, InvalidRequest, NotFound
from api_schemas.jobs import Init, Plan
from api_schemas.nearest import nearest
from api_schemas.plan import architecture
from service.gateway import Gateway
from service.model_header import weight_shapes
from storage.checkpoints import get_checkpoint
from storage.database import Database
from storage.jobs import get_job
from storage.model_tasks import model_of

Shapes = dict[str, tuple[int, ...]]


def initial_weights(gateway: Gateway, project: str, plan: Plan, dataset: Dataset | None) -> str | None:
    """Where the file is stored whose weights a job begins with; None where they are drawn.

    Raises:
        InvalidRequest: this project has no such job, or none such checkpoint of it, or the weights do not fit.
        Conflict: the job has no model, or its checkpoints still change.
    """
    init = plan.spec.init
    if init is None:
        return None
    stored = _stored(gateway.database, project, init)
    network, _ = architecture(plan.spec, dataset)
    # Renewed, so that it is there for this job even if the other one is deleted before this one is stored.
    faults = list(_faults(init, weight_shapes(gateway.artifacts.renew(stored)), parameter_shapes(network)))
    if faults:
        raise InvalidRequest.of(faults)
    return stored


def _stored(database: Database, project: str, init: Init) -> str:
    """Where the file is stored: a job's model, or one of the checkpoints of a job that has ended."""
    try:
        if init.checkpoint is None:
            return model_of(database, project, init.job)
        job = get_job(database, project, init.job)
    except NotFound as error:
        raise InvalidRequest.at("/init/job", "unknown_job", error.detail) from error
    if not job.terminal:
        raise Conflict(
            f"the checkpoints of a job that is {job.state} still change; wait for its end with GET /v1/jobs/{job.id} "
            "and `Prefer: wait=30`, or cancel it"
        )
    try:
        return get_checkpoint(database, project, init.job, init.checkpoint).sha256
    except NotFound as error:
        raise InvalidRequest.at("/init/checkpoint", "unknown_checkpoint", error.detail) from error


def _faults(init: Init, has: Shapes, needs: Shapes) -> Iterator[Fault]:
    """What keeps weights from being taken over: a pattern without any, a name with another shape."""
    for place, pattern in enumerate(init.weights):
        taken = [name for name in needs if fnmatchcase(name, pattern) and name in has]
        if not taken:
            message = (
                f"no weight of that job has a name like {pattern!r} in this network; {nearest(pattern, list(has))}"
            )
            yield Fault(pointer=f"/init/weights/{place}", code="unknown_weight", message=message)
        others = [f"{name} {list(has[name])}, here {list(needs[name])}" for name in taken if has[name] != needs[name]]
        if others:
            message = (
                f"these have another shape in that job: {'; '.join(others[:6])}; make the networks alike, or name in "
                "`weights` only what is to be taken"
            )
            yield Fault(pointer=f"/init/weights/{place}", code="other_shape", message=message)
