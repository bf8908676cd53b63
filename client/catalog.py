"""What a job can name, as the gateway tells it."""

from __future__ import annotations

from typing import TypeAlias

from api_schemas.catalog import CatalogEntry, Kind
from api_schemas.pages import Page
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
