"""Waiting for what a worker does with a dataset."""

from __future__ import annotations

import time

from api_schemas.datasets import Dataset
from service.gateway import Gateway
from service.replies import in_thread
from storage.datasets import get_dataset

READING_IS_AWAITED_SECONDS = 30.0
"""How long an upload waits to be read, so that a small file's faults are its own answer; a worker that has just started
may still be importing torch for most of it."""


async def until_read(gateway: Gateway, project: str, dataset: Dataset) -> Dataset:
    """The dataset once it has been read, or as it is after a while."""
    identifier, deadline = dataset.id, time.monotonic() + READING_IS_AWAITED_SECONDS
    changed = True
    while changed and not dataset.terminal:
        changed = await gateway.watch.change(identifier, dataset.version, deadline - time.monotonic())
        dataset = await in_thread(lambda: get_dataset(gateway.database, project, identifier))
    return dataset
