"""What a catalog entry is: one class that is at once its registration, its schema, its documentation and its form."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar, Literal

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from api_schemas.base import Reply, Schema

Kind = Literal[
    "optimizers",
    "schedules",
    "normalizations",
    "preprocessing",
    "encodings",
    "losses",
    "models",
    "activations",
    "datasets",
]


class Entry(Schema):
    """Something that a job names.

    A subclass that gives `name` a literal is thereby in the catalog: in the job's schema, in `GET /v1/catalog`, in
    the generated docs, in the dashboard's form and in the tests that walk all entries. Its docstring is what a user
    reads about it; its fields are its knobs.
    """

    kind: ClassVar[Kind]
    target: ClassVar[str | None] = None
    """Dotted name of what the trainer builds; a string, so that naming it never imports torch."""
    formula: ClassVar[str] = ""
    """The mathematics in plain text."""
    paper: ClassVar[str] = ""
    """Where it comes from."""

    name: str

    @classmethod
    def members(cls) -> dict[str, type[Entry]]:
        """Every named entry below this class, by name, in the order of definition."""
        found: dict[str, type[Entry]] = {}
        for child in cls.__subclasses__():
            default = child.model_fields["name"].default
            if isinstance(default, str):
                found[default] = child
            found.update(child.members())
        return found

    @classmethod
    def describe(cls) -> CatalogEntry:
        """This entry as `GET /v1/catalog` tells it."""
        doc = inspect.cleandoc(cls.__doc__ or "")
        schema = cls.model_json_schema()
        knobs = {key: value for key, value in schema["properties"].items() if key != "name"}
        return CatalogEntry(
            kind=cls.kind,
            name=cls.model_fields["name"].default,
            summary=doc.split("\n", 1)[0],
            description=doc,
            formula=cls.formula,
            paper=cls.paper,
            target=cls.target,
            knobs=knobs,
            definitions=schema.get("$defs", {}),
        )

    def knobs(self) -> dict[str, Any]:
        """The knobs and their values, as keyword arguments for the target."""
        return {key: getattr(self, key) for key in type(self).model_fields if key != "name"}


class OneOf:
    """Marks a field as `one of the entries below this class, told apart by name`."""

    def __init__(self, family: type[Entry]) -> None:
        self.family = family

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        choices = {name: handler.generate_schema(entry) for name, entry in self.family.members().items()}
        return core_schema.tagged_union_schema(choices, discriminator="name")


class CatalogEntry(Reply):
    """What the catalog says of one entry."""

    object: Literal["catalog_entry"] = "catalog_entry"
    kind: str
    """The list it stands in."""
    name: str
    """What a job calls it."""
    summary: str
    """One line."""
    description: str
    """What it is for and what goes wrong with it."""
    formula: str
    """The mathematics in plain text."""
    paper: str
    """Where it comes from."""
    target: str | None
    """The PyTorch object that it builds, where there is one."""
    knobs: dict[str, Any]
    """Its settings, each as JSON Schema: type, bounds, default, description."""
    definitions: dict[str, Any]
    """Schemas that the knobs refer to."""
