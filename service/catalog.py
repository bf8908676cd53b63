"""Routes of the catalog: everything that a job can name."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from api_schemas.catalog import FAMILIES, CatalogEntry
from api_schemas.errors import NotFound
from api_schemas.nearest import nearest
from api_schemas.pages import Page
from service.gateway import ProjectDependency
from service.problems import documented
from service.replies import KnownDependency, document

router = APIRouter(prefix="/v1/catalog", tags=["catalog"])

_UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "Nothing changed."}}


@router.get("", response_model=None, responses={200: {"model": Page[CatalogEntry]}} | _UNCHANGED)
def list_catalog(_project: ProjectDependency, known: KnownDependency) -> Response:
    """Every entry of every kind."""
    return document(_page(tuple(FAMILIES)), known)


@router.get(
    "/{kind}", response_model=None, responses={200: {"model": Page[CatalogEntry]}} | _UNCHANGED | documented(404)
)
def list_kind(kind: str, _project: ProjectDependency, known: KnownDependency) -> Response:
    """The entries of a kind, such as `optimizers`."""
    return document(_page((kind,)), known)


@router.get(
    "/{kind}/{name}", response_model=None, responses={200: {"model": CatalogEntry}} | _UNCHANGED | documented(404)
)
def get_entry(kind: str, name: str, _project: ProjectDependency, known: KnownDependency) -> Response:
    """One entry: what it is for, its formula, its knobs."""
    found = _entries(kind)
    for entry in found:
        if entry.name == name:
            return document(entry.model_dump_json(), known)
    raise NotFound(f"there is no {name!r} among the {kind}; {nearest(name, [entry.name for entry in found])}")


# Describing an entry builds its schema, some milliseconds each, and no entry changes while a gateway runs.
@lru_cache(maxsize=len(FAMILIES) + 1)
def _page(kinds: tuple[str, ...]) -> str:
    entries = [entry for kind in kinds for entry in _entries(kind)]
    return Page[CatalogEntry](data=entries, has_more=False).model_dump_json()


@lru_cache(maxsize=len(FAMILIES))
def _entries(kind: str) -> list[CatalogEntry]:
    for known, family in FAMILIES.items():
        if known == kind:
            return [entry.describe() for entry in family.members().values()]
    raise NotFound(f"the catalog has no kind {kind!r}; {nearest(kind, list(FAMILIES))}")
