"""What the schema of a request's body says at a place: the fields that are there, the bounds of a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from api_schemas.catalog import FAMILIES
from api_schemas.catalog.entry import schema_by_kind

Json = Any
Path = Sequence[str | int]

_BOUNDS = {
    "exclusiveMinimum": "greater than",
    "minimum": "at least",
    "exclusiveMaximum": "below",
    "maximum": "at most",
}


def known_fields(body: type[BaseModel], path: Path) -> list[str]:
    """The names of the fields at a pydantic location of a body."""
    return next((list(here["properties"]) for here in _places(body, path) if "properties" in here), [])


def bounds(body: type[BaseModel], path: Path) -> str:
    """The bounds of the number at a pydantic location of a body, such as `greater than 0 and at most 1000`."""
    return next((said for here in _places(body, path) if (said := _said(here))), "")


def _said(schema: Mapping[str, Json]) -> str:
    return " and ".join(f"{words} {schema[key]:.10g}" for key, words in _BOUNDS.items() if key in schema)


def _places(body: type[BaseModel], path: Path) -> Iterator[Json]:
    document = _document(body)
    yield from _walk(document, document, path)


def _walk(here: Json, document: Json, path: Path) -> Iterator[Json]:
    """Each schema that stands at a location; of a union those of every member that the location leads through."""
    if "$ref" in here:
        here = document["$defs"][here["$ref"].rsplit("/", 1)[1]]
    for choice in here.get("anyOf", here.get("oneOf", [])):
        yield from _walk(choice, document, path)
    if not path:
        yield here
        return
    step, rest = path[0], path[1:]
    if "catalog" in here:
        entry = FAMILIES[here["catalog"]].find(str(step))
        if entry is not None:
            yield from _places(entry, rest)
    elif step in here.get("properties", {}):
        yield from _walk(here["properties"][step], document, rest)
    elif isinstance(step, int):
        yield from _walk(_item(here, step), document, rest)
    elif isinstance(here.get("additionalProperties"), dict):
        yield from _walk(here["additionalProperties"], document, rest)
    elif "anyOf" in here or "oneOf" in here:
        yield from _walk(here, document, rest)  # the step is the tag of a union's member


def _item(here: Json, index: int) -> Json:
    items: list[Json] = here.get("prefixItems", [])
    return items[index] if index < len(items) else here.get("items", {})


# Building a schema takes some milliseconds, and none changes while a gateway runs.
@lru_cache(maxsize=64)
def _document(body: type[BaseModel]) -> Json:
    return schema_by_kind(body)
