"""The model that a job begins with, checked against the network that the job trains."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from api_schemas.catalog.layers import parameter_shapes
from api_schemas.datasets import Dataset
from api_schemas.errors import Fault, InvalidRequest, NotFound
from api_schemas.jobs import Init, Plan
from api_schemas.nearest import nearest
from api_schemas.plan import architecture
from service.gateway import Gateway
from service.model_header import weight_shapes
from storage.model_tasks import model_of

Shapes = dict[str, tuple[int, ...]]


def initial_model(gateway: Gateway, project: str, plan: Plan, dataset: Dataset | None) -> str | None:
    """Where the model is stored that a job begins with; None where it begins with drawn weights.

    Raises:
        InvalidRequest: this project has no such job, or its weights do not fit.
        Conflict: the job has no model, or none yet.
    """
    init = plan.spec.init
    if init is None:
        return None
    try:
        stored = model_of(gateway.database, project, init.job)
    except NotFound as error:
        raise InvalidRequest.at("/init/job", "unknown_job", error.detail) from error
    network, _ = architecture(plan.spec, dataset)
    faults = list(_faults(init, weight_shapes(gateway.artifacts.path(stored)), parameter_shapes(network)))
    if faults:
        raise InvalidRequest.of(faults)
    return stored


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
