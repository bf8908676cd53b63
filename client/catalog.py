"""What a job can name, as the gateway tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from api_schemas.catalog import CatalogEntry, Kind
from api_schemas.pages import Page
from api_schemas.previews import SchedulePreview
from client.flow import Flow
from client.resource import D, Endpoint, Resource, path_of

Entries: TypeAlias = list[CatalogEntry]


class Catalog(Resource[D]):
    """`/v1/catalog`."""

    @Endpoint
    def all(self) -> Flow[Entries]:
        """Every entry of every kind."""
        return (yield from self._ask(Page[CatalogEntry], "GET", "/v1/catalog")).data

    @Endpoint
    def kind(self, kind: Kind) -> Flow[Entries]:
        """Every entry of one kind, such as `optimizers`."""
        return (yield from self._ask(Page[CatalogEntry], "GET", path_of("catalog", kind))).data

    @Endpoint
    def entry(self, kind: Kind, name: str) -> Flow[CatalogEntry]:
        """One entry: its formula, its paper, and its knobs as JSON Schema."""
        return (yield from self._ask(CatalogEntry, "GET", path_of("catalog", kind, name)))

    @Endpoint
    def preview_schedule(
        self,
        schedule: Sequence[Mapping[str, Any]],
        *,
        lr: float = 1.0,
        total_steps: int = 1000,
        steps_per_epoch: int = 100,
    ) -> Flow[SchedulePreview]:
        """The exact learning rate of every step that a schedule would give.

        Args:
            schedule: its pieces, as in a job.
            lr: the optimizer's learning rate; at 1 the answer is the schedule's factors.
            total_steps: steps of the run, 1,000,000 at most.
            steps_per_epoch: what an epoch is in steps.

        Raises:
            InvalidRequest: with a pointer for each thing that is wrong.
        """
        question = {
            "schedule": [dict(piece) for piece in schedule],
            "lr": lr,
            "total_steps": total_steps,
            "steps_per_epoch": steps_per_epoch,
        }
        return (yield from self._ask(SchedulePreview, "POST", "/v1/catalog/schedules/preview", json=question))
