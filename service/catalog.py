"""Routes of the catalog: everything that a job can name."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query
from starlette.responses import Response

from api_schemas.catalog import FAMILIES, CatalogEntry
from api_schemas.errors import NotFound
from api_schemas.nearest import nearest
from api_schemas.pages import Page
from api_schemas.previews import SchedulePreview, ScheduleQuestion, preview
from service.gateway import ProjectDependency
from service.plot_schedule import schedule_svg
from service.problems import documented
from service.replies import KnownDependency, document, reply

router = APIRouter(prefix="/v1/catalog", tags=["catalog"])

_PATHS = Path(__file__).parent / "pictures" / "optimizers"
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


@router.get(
    "/optimizers/{name}/paths.svg",
    response_model=None,
    responses={200: {"content": {"image/svg+xml": {}}}} | _UNCHANGED | documented(404),
)
def get_paths(name: str, _project: ProjectDependency, known: KnownDependency) -> Response:
    """The path of an optimizer on two error surfaces, on each at the learning rate that suits it best."""
    names = FAMILIES["optimizers"].names()
    if name not in names:
        raise NotFound(f"there is no {name!r} among the optimizers; {nearest(name, names)}")
    picture = _PATHS / f"{name}.svg"
    if not picture.exists():
        raise NotFound(f"the path of {name!r} is not drawn; Anneal draws those of the optimizers that it comes with")
    return document(picture.read_text(), known, "image/svg+xml")


@router.post(
    "/schedules/preview",
    response_model=None,
    responses={200: {"model": SchedulePreview, "content": {"image/svg+xml": {}}}} | documented(400, 413, 415),
)
def preview_schedule(
    question: ScheduleQuestion,
    _project: ProjectDependency,
    accept: Annotated[str, Header(description="`image/svg+xml` answers with a picture.")] = "",
    form: Annotated[Literal["json", "svg"] | None, Query(alias="format", description="Instead of `Accept`.")] = None,
) -> Response:
    """The exact learning rate of every step, or a picture of it."""
    answer = preview(question)
    if form == "svg" or (form is None and "image/svg+xml" in accept):
        return Response(schedule_svg(answer), 200, {"Cache-Control": "no-cache", "Vary": "Accept"}, "image/svg+xml")
    return reply(answer)


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
