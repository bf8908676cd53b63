"""Datasets, from the client's side."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TypeAlias

from api_schemas.datasets import ColumnChoice, Dataset, DatasetChange, Preview
from api_schemas.pages import Page
from client.exchange import decode, exchange
from client.flow import Feed, Flow
from client.resource import D, Endpoint, Listing, Resource, path_of

File: TypeAlias = str | os.PathLike[str] | IO[bytes]
"""A path, or a file that is open for reading bytes."""

_ANSWER_SECONDS = 300.0
"""How long the gateway may take from the last byte to its answer, which may tell what it read."""


class Datasets(Resource[D]):
    """`/v1/datasets`."""

    @Endpoint
    def upload(
        self,
        *files: File,
        name: str | None = None,
        target: str | None = None,
        columns: Sequence[ColumnChoice] = (),
        image_size: tuple[int, int] | None = None,
    ) -> Flow[Dataset]:
        """Send a table, arrays or images, 64 KiB at a time.

        A small one has been read when this returns; `wait` returns when a large one has.

        Args:
            files: a table, arrays or a zip of images; several files are one dataset, such as the four of MNIST. A file
                object that cannot go back to its start is sent once, without retries.
            name: by default the first file's.
            target: the column that jobs learn to predict unless they say otherwise.
            columns: what you know of columns that would be inferred otherwise.
            image_size: height and width to which the images of a zip are resized; by default the size of nearly all.

        Raises:
            OSError: when the file cannot be read.
            InvalidRequest: when they cannot be used, which small files are told at once.
            PayloadTooLarge: when the operator allows fewer bytes.
        """
        with ExitStack() as stack:
            streams = [stack.enter_context(opened(file)) for file in files]
            size = "x".join(map(str, image_size)) if image_size else None
            given = {"name": name, "target": target, "columns": _columns(columns), "image_size": size}
            fields = {key: value for key, value in given.items() if value is not None}
            request = self._request(
                "POST",
                "/v1/datasets",
                data=fields,
                files=[("file", (filename, stream)) for stream, filename in streams],
                extensions={
                    "form": [*(("file", f"@{getattr(stream, 'name', '-')}") for stream, _ in streams), *fields.items()]
                },
                read_seconds=_ANSWER_SECONDS,
            )
            again = all(stream.seekable() for stream, _ in streams)
            response = yield from exchange(request, self._retries if again else 0)
        return decode(response, Dataset)

    @Endpoint
    def fetch(
        self,
        url: str,
        *,
        filename: str | None = None,
        name: str | None = None,
        target: str | None = None,
        columns: Sequence[ColumnChoice] = (),
    ) -> Flow[Dataset]:
        """Have a worker fetch a file from a host that the operator allows; `wait` returns once it has been read.

        Args:
            url: where the file is.
            filename: what it is called, where the URL does not end with a name that tells what it is.
            name: by default the file's.
            target: the column that jobs learn to predict unless they say otherwise.
            columns: what you know of columns that would be inferred otherwise.

        Raises:
            InvalidRequest: when the operator does not allow it.
        """
        choices = [column.model_dump(mode="json", exclude_none=True) for column in columns]
        source = {"url": url, "filename": filename}
        body = {"source": source, "name": name, "target": target, "columns": choices}
        return (yield from self._ask(Dataset, "POST", "/v1/datasets", json=body))

    @Endpoint
    def get(self, dataset_id: str) -> Flow[Dataset]:
        """The dataset as it is now."""
        return (yield from self._ask(Dataset, "GET", path_of("datasets", dataset_id)))

    @Listing
    def list(self, *, limit: int | None = None) -> Feed[Dataset]:
        """The datasets of the project, newest first; pages are fetched while you iterate.

        Args:
            limit: at most this many; by default all.
        """
        return self._each(Page[Dataset], "/v1/datasets", {}, limit)

    @Endpoint
    def change(self, dataset_id: str, change: DatasetChange) -> Flow[Dataset]:
        """Correct what was inferred; jobs that exist keep what they were made with."""
        body = change.model_dump(mode="json", exclude_unset=True)
        return (yield from self._ask(Dataset, "PATCH", path_of("datasets", dataset_id), json=body))

    @Endpoint
    def preview(self, dataset_id: str) -> Flow[Preview]:
        """The first rows."""
        return (yield from self._ask(Preview, "GET", path_of("datasets", dataset_id, "preview")))

    @Endpoint
    def delete(self, dataset_id: str) -> Flow[None]:
        """Forget a dataset.

        Raises:
            Conflict: when a job that has not ended needs it.
        """
        yield from self._delete(path_of("datasets", dataset_id))

    @Endpoint
    def wait(self, dataset_id: str, timeout: float | None = None) -> Flow[Dataset]:
        """The dataset once it has been read; whether it is `ready` or `failed` its `state` says.

        Args:
            dataset_id: which.
            timeout: seconds to wait at most.

        Raises:
            WaitTimeout: when it has not been read by then.
        """
        return (yield from self._end_of(Dataset, path_of("datasets", dataset_id), timeout))


@contextmanager
def opened(file: File) -> Generator[tuple[IO[bytes], str]]:
    """The file as a stream, and its name; closed again only if it was opened here."""
    if isinstance(file, str | os.PathLike):
        with Path(file).open("rb") as stream:
            yield stream, Path(file).name
    else:
        yield file, Path(str(getattr(file, "name", "upload"))).name


def _columns(columns: Sequence[ColumnChoice]) -> str | None:
    if not columns:
        return None
    return json.dumps([column.model_dump(mode="json", exclude_none=True) for column in columns])
