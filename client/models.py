"""Trained models, from the client's side: as files, as predictions, under names."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from api_schemas.ids import is_id
from api_schemas.model_tasks import ModelFormat, TableFormat
from api_schemas.models import RegisteredModel
from api_schemas.pages import Page
from api_schemas.predictions import Prediction
from client.datasets import File, opened
from client.exchange import decode, exchange
from client.flow import Feed, Flow, Open, Pause
from client.resource import D, Endpoint, Listing, Resource, path_of

_ANSWER_SECONDS = 60.0
"""How long the gateway may take to begin its answer; it waits half of that for a worker."""


class Models(Resource[D]):
    """`/v1/models`, and the models of jobs.

    A `reference` is a job's id, or a name: `wine`, `wine@3`, `wine@champion`.
    """

    @Endpoint
    def put(self, name: str, job: str, aliases: Sequence[str] = ()) -> Flow[RegisteredModel]:
        """Point a name at a job's model: its next version, unless it is one already.

        Args:
            name: lower case letters, digits, - and _.
            job: whose model it is.
            aliases: that this version gets, and that another version loses.

        Raises:
            Conflict: when the job has no model, or none yet.
        """
        body = {"job": job, "aliases": list(aliases)}
        return (yield from self._ask(RegisteredModel, "PUT", path_of("models", name), json=body))

    @Endpoint
    def get(self, name: str) -> Flow[RegisteredModel]:
        """A name with all its versions."""
        return (yield from self._ask(RegisteredModel, "GET", path_of("models", name)))

    @Listing
    def list(self, *, limit: int | None = None) -> Feed[RegisteredModel]:
        """The names of the project, newest first; pages are fetched while you iterate.

        Args:
            limit: at most this many; by default all.
        """
        return self._each(Page[RegisteredModel], "/v1/models", {}, limit)

    @Endpoint
    def delete(self, reference: str) -> Flow[None]:
        """Forget a name, or one version of it; the job and its model stay."""
        yield from self._delete(path_of("models", reference))

    @Endpoint
    def predict(
        self,
        reference: str,
        rows: Sequence[Mapping[str, Any]] | None = None,
        *,
        columns: Mapping[str, Sequence[Any]] | None = None,
    ) -> Flow[Prediction]:
        """What a model says of rows in raw columns.

        Args:
            reference: which model.
            rows: one mapping a row, None where a value is missing.
            columns: in place of `rows`, one sequence a column.

        Raises:
            InvalidRequest: when a column is missing, or holds what the model cannot read.
            Conflict: when the job has no model, or none yet.
        """
        body = {"rows": rows} if columns is None else {"columns": {name: list(each) for name, each in columns.items()}}
        response = yield from self._done(self._request("POST", self._path(reference, "predict"), json=body))
        return decode(response, Prediction)

    @Endpoint
    def predict_file(
        self, reference: str, file: File, output: str | os.PathLike[str], *, written: TableFormat = "csv"
    ) -> Flow[Path]:
        """Write a table's rows with a model's answers in further columns.

        Args:
            reference: which model.
            file: the table, told by its name.
            output: where the answer goes.
            written: how.

        Returns:
            Where the answer is.

        Raises:
            InvalidRequest: when the file is no table, or a column is missing or holds what the model cannot read.
        """
        with opened(file) as (stream, filename):
            request = self._request(
                "POST",
                self._path(reference, "predict"),
                params={"output": written},
                files={"file": (filename, stream)},
                extensions={"form": [("file", f"@{getattr(stream, 'name', '-')}")]},
                read_seconds=_ANSWER_SECONDS,
            )
            response = yield from self._done(Open(request))
            return (yield from self._save(response, Path(output)))

    @Endpoint
    def download(
        self,
        reference: str,
        output: str | os.PathLike[str],
        format: ModelFormat = "safetensors",  # noqa: A002 - the parameter's name in the contract
    ) -> Flow[Path]:
        """Write a model's file: weights, preparation and spec.

        Args:
            reference: which model.
            output: where it goes.
            format: `safetensors`, `zip` with a README, `onnx`, or `pt2` of torch.export.

        Returns:
            Where it is.

        Raises:
            InvalidRequest: when the network cannot be written in this format.
            NotFound: when there is no such job, name, version or alias.
            Conflict: when the job has no model, or none yet.
        """
        path = self._path(reference, "model")
        request = self._request("GET", path, params={"format": format}, read_seconds=_ANSWER_SECONDS)
        response = yield from self._done(Open(request))
        return (yield from self._save(response, Path(output)))

    def _path(self, reference: str, what: str) -> str:
        return path_of("jobs" if is_id(reference, "job") else "models", reference, what)

    def _done(self, request: httpx.Request | Open) -> Flow[httpx.Response]:
        """The answer, asked for again where a worker is still at it."""
        response = yield from exchange(request, self._retries)
        while response.status_code == 202:
            yield Pause(float(response.headers.get("Retry-After", 1)))
            again = self._request("GET", response.headers["Location"], read_seconds=_ANSWER_SECONDS)
            response = yield from exchange(Open(again) if isinstance(request, Open) else again, self._retries)
        return response
