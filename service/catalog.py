"""Routes of the catalog: everything that a job can name."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from api_schemas.catalog import FAMILIES, CatalogEntry
from api_schemas.errors import NotFound
from api_schemas.pages import Page
from api_schemas.plan import nearest
from service.gateway import ProjectDependency
from service.problems import documented
from service.replies import page, reply

router = APIRouter(prefix="/v1/catalog", tags=["catalog"])


@router.get("", response_model=None, responses={200: {"model": Page[CatalogEntry]}})
def list_catalog(_project: ProjectDependency) -> Response:
    """Every entry of every kind."""
    return page([entry for kind in FAMILIES for entry in _entries(kind)], None, CatalogEntry)


@router.get("/{kind}", response_model=None, responses={200: {"model": Page[CatalogEntry]}} | documented(404))
def list_kind(kind: str, _project: ProjectDependency) -> Response:
    """The entries of a kind, such as `optimizers`."""
    return page(_entries(kind), None, CatalogEntry)


@router.get("/{kind}/{name}", response_model=None, responses={200: {"model": CatalogEntry}} | documented(404))
def get_entry(kind: str, name: str, _project: ProjectDependency) -> Response:
    """One entry: what it is for, its formula, its knobs."""
    found = _entries(kind)
    for entry in found:
        if entry.name == name:
            return reply(entry)
    raise NotFound(f"there is no {name!r} among the {kind}; {nearest(name, [entry.name for entry in found])}")


def _entries(kind: str) -> list[CatalogEntry]:
    for known, family in FAMILIES.items():
        if known == kind:
            return [entry.describe() for entry in family.members().values()]
    raise NotFound(f"the catalog has no kind {kind!r}; {nearest(kind, list(FAMILIES))}")
