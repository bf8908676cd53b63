"""Jobs, from the client's side."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from api_schemas.curves import Metrics, Series
from api_schemas.jobs import Checkpoint, Event, Job, JobSpec, JobState, Plan
from api_schemas.pages import Page
from client.events import follow
from client.exchange import exchange
from client.flow import Feed, Flow, Open
from client.resource import D, Endpoint, Listing, Resource, path_of

if TYPE_CHECKING:
    import httpx
    import numpy as np
    from numpy.typing import NDArray

_SILENT_SECONDS = 60.0
"""A stream that is silent for longer, heartbeats and all, is taken for broken."""

Spec: TypeAlias = JobSpec | Mapping[str, Any]
"""A job as its class, or as the JSON that curl would send; the gateway checks either."""


class Curve(NamedTuple):
    """One series as arrays."""

    step: NDArray[np.int64]
    """(points,), counted from 0."""
    value: NDArray[np.float64]
    """(points,); what JSON has no number for is nan, inf or -inf again."""


class Jobs(Resource[D]):
    """`/v1/jobs`."""

    @Endpoint
    def create(self, spec: Spec) -> Flow[Job]:
        """Submit a job; it is stored when this returns, and starts when a worker is free.

        Raises:
            InvalidRequest: when it could not train; `faults` points at each reason.
        """
        return (yield from self._ask(Job, "POST", "/v1/jobs", json=_body(spec)))

    @Endpoint
    def validate(self, spec: Spec) -> Flow[Plan]:
        """What the spec would do: every default filled in, steps, parameters, memory; nothing is stored.

        Raises:
            InvalidRequest: as `create`.
        """
        return (yield from self._ask(Plan, "POST", "/v1/jobs", params={"validate_only": "true"}, json=_body(spec)))

    @Endpoint
    def get(self, job_id: str) -> Flow[Job]:
        """The job as it is now."""
        return (yield from self._ask(Job, "GET", path_of("jobs", job_id)))

    @Listing
    def list(
        self,
        *,
        state: JobState | None = None,
        name: str | None = None,
        tag: str | None = None,
        dataset: str | None = None,
        limit: int | None = None,
    ) -> Feed[Job]:
        """The jobs of the project, newest first; pages are fetched while you iterate.

        Args:
            state: only jobs in this state.
            name: only jobs with this in their name.
            tag: only jobs with this tag, as `course:lecture-4`.
            dataset: only jobs on the upload of this id.
            limit: at most this many; by default all.
        """
        return self._each(Page[Job], "/v1/jobs", {"state": state, "name": name, "tag": tag, "dataset": dataset}, limit)

    @Endpoint
    def cancel(self, job_id: str) -> Flow[Job]:
        """Stop a job; one that has ended is returned unchanged."""
        return (yield from self._ask(Job, "POST", path_of("jobs", job_id, "cancel")))

    @Endpoint
    def pause(self, job_id: str) -> Flow[Job]:
        """Write a checkpoint and free the worker.

        Raises:
            Conflict: when the job is not in a state to be paused.
        """
        return (yield from self._ask(Job, "POST", path_of("jobs", job_id, "pause")))

    @Endpoint
    def resume(self, job_id: str) -> Flow[Job]:
        """Queue a paused job again; it goes on from its checkpoint.

        Raises:
            Conflict: when the job is not paused.
        """
        return (yield from self._ask(Job, "POST", path_of("jobs", job_id, "resume")))

    @Endpoint
    def delete(self, job_id: str) -> Flow[None]:
        """Forget a job, its events and its curves.

        Raises:
            Conflict: when a worker has it; cancel it first.
        """
        yield from self._delete(path_of("jobs", job_id))

    @Endpoint
    def wait(self, job_id: str, timeout: float | None = None) -> Flow[Job]:
        """The job once it has ended; whether it succeeded its `state` says.

        Args:
            job_id: which.
            timeout: seconds to wait at most.

        Raises:
            WaitTimeout: when it has not ended by then; it goes on.
        """
        return (yield from self._end_of(Job, path_of("jobs", job_id), timeout))

    @Endpoint
    def metrics(
        self,
        job_id: str,
        keys: Sequence[str] | None = None,
        *,
        from_step: int | None = None,
        to_step: int | None = None,
        max_points: int | None = None,
    ) -> Flow[Metrics]:
        """The curves of a job, also while they grow.

        Args:
            job_id: whose.
            keys: such as `train/loss`; by default all.
            from_step: first step, inclusive.
            to_step: last step, inclusive.
            max_points: most values a series; more points are put in buckets that keep smallest, largest and mean.
        """
        return (yield from self._metrics(job_id, keys, from_step, to_step, max_points))

    @Endpoint
    def curve(
        self,
        job_id: str,
        key: str,
        *,
        from_step: int | None = None,
        to_step: int | None = None,
        max_points: int | None = None,
    ) -> Flow[Curve]:
        """One curve as numpy arrays: every point of it, unless `max_points` asks for fewer.

        A series that has no point yet gives empty arrays.
        """
        metrics = yield from self._metrics(job_id, [key], from_step, to_step, max_points)
        return _arrays(next((series for series in metrics.series if series.key == key), None))

    @Listing
    def events(self, job_id: str, *, after: int = 0) -> Feed[Event]:
        """What happened to a job and what happens, each event once and in order, until the job has ended.

        Connections that break are taken up again where they broke.

        Args:
            job_id: whose.
            after: the id of the last event that you know.
        """

        def request_after(last: int) -> httpx.Request:
            headers = {"Accept": "text/event-stream", **({"Last-Event-ID": str(last)} if last else {})}
            return self._request(
                "GET", path_of("jobs", job_id, "events"), headers=headers, read_seconds=_SILENT_SECONDS
            )

        return follow(request_after, after, self._retries)

    @Listing
    def checkpoints(self, job_id: str) -> Feed[Checkpoint]:
        """The checkpoints of a job that are kept, newest first: the last two, and the best one."""
        return self._each(Page[Checkpoint], path_of("jobs", job_id, "checkpoints"), {}, None)

    @Endpoint
    def download_checkpoint(
        self, job_id: str, output: str | os.PathLike[str], which: Literal["best", "last"] | int = "last"
    ) -> Flow[Path]:
        """Write a kept checkpoint, whose tensors `weights/...` are those of the network.

        Args:
            job_id: whose.
            output: where it goes.
            which: the best by `training.best_metric`, the last, or how many steps were done.

        Returns:
            Where it is.

        Raises:
            NotFound: when the job does not keep it.
        """
        request = self._request("GET", path_of("jobs", job_id, "checkpoints", str(which)))
        response = yield from exchange(Open(request), self._retries)
        return (yield from self._save(response, Path(output)))

    @Endpoint
    def script(self, job_id: str) -> Flow[str]:
        """A standalone PyTorch program that repeats the job's run; an uploaded file is its argument.

        Raises:
            Conflict: when the job's dataset was deleted.
        """
        return (yield from self._text(path_of("jobs", job_id, "script")))

    def _metrics(
        self,
        job_id: str,
        keys: Sequence[str] | None,
        from_step: int | None,
        to_step: int | None,
        max_points: int | None,
    ) -> Flow[Metrics]:
        params = {
            "keys": None if keys is None else ",".join(keys),
            "from_step": from_step,
            "to_step": to_step,
            "max_points": max_points,
        }
        return (yield from self._ask(Metrics, "GET", path_of("jobs", job_id, "metrics"), params=params))


def _body(spec: Spec) -> Mapping[str, Any]:
    return spec.model_dump(mode="json") if isinstance(spec, JobSpec) else spec


def _arrays(series: Series | None) -> Curve:
    """Steps and values; null is nan unless `nonfinite` says what it was."""
    # numpy takes a tenth of a second to import, which only a caller that wants arrays should pay.
    import numpy as np  # noqa: PLC0415

    if series is None:
        return Curve(np.empty(0, np.int64), np.empty(0, np.float64))
    spoken = {point.step: float(point.value) for point in series.nonfinite}
    values = [
        spoken.get(step, float("nan")) if value is None else value
        for step, value in zip(series.step, series.value, strict=True)
    ]
    return Curve(np.array(series.step, np.int64), np.array(values, np.float64))
