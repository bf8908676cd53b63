"""What a catalog entry is: one class that is at once its registration, its schema, its documentation and its form."""

from __future__ import annotations

import inspect
from contextvars import ContextVar
from typing import Any, ClassVar, Literal
from weakref import WeakValueDictionary

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticKnownError, core_schema

from api_schemas.base import Reply, Schema
from api_schemas.catalog.call import Call

Kind = Literal[
    "optimizers",
    "schedules",
    "normalizations",
    "preprocessing",
    "encodings",
    "tokenizers",
    "losses",
    "metrics",
    "activations",
    "initializations",
    "averaging",
    "models",
    "layers",
    "datasets",
    "generators",
]


_FOUND: WeakValueDictionary[tuple[type, str], type[Entry]] = WeakValueDictionary()


class Entry(Schema):
    """Something that a job names.

    A subclass that gives `name` a literal is thereby in the catalog: in the job's schema, in `GET /v1/catalog`, in
    the generated docs, in the dashboard's form and in the tests that walk all entries. Its docstring is what a user
    reads about it; its fields are its knobs.
    """

    kind: ClassVar[Kind]
    target: ClassVar[str | None] = None
    """Dotted name of what the trainer calls; a string, so that naming it never imports torch."""
    formula: ClassVar[str] = ""
    """The mathematics in plain text."""
    paper: ClassVar[str] = ""
    """Where it comes from."""
    pitfall: ClassVar[str] = ""
    """What goes wrong with it, in a sentence or two."""

    name: str

    @classmethod
    def names(cls) -> list[str]:
        """The name of every entry below this class, in the order of definition."""
        names: list[str] = []
        for child in cls.__subclasses__():
            default = child.model_fields["name"].default
            names += [default] if isinstance(default, str) else []
            names += child.names()
        return list(dict.fromkeys(names))  # an entry may stand below two families of its kind

    @classmethod
    def find(cls, name: str) -> type[Entry] | None:
        """The entry of this name below this class; only that one is made ready for use."""
        found = _FOUND.get((cls, name))
        if found is None and (found := cls._search(name)) is not None:
            _FOUND[cls, name] = found  # a spec names a dozen, and each job that is read has a spec
        return found

    @classmethod
    def _search(cls, name: str) -> type[Entry] | None:
        for child in cls.__subclasses__():
            found = child if child.model_fields["name"].default == name else child.find(name)
            if found is not None:
                return found
        return None

    @classmethod
    def members(cls) -> dict[str, type[Entry]]:
        """Every entry below this class, by name."""
        return {name: entry for name in cls.names() if (entry := cls.find(name)) is not None}

    @classmethod
    def kinds(cls) -> list[Kind]:
        """The kinds that the entries below this class are listed in."""
        found: list[Kind] = [cls.kind, *(kind for child in cls.__subclasses__() for kind in child.kinds())]
        return list(dict.fromkeys(found))

    @classmethod
    def describe(cls) -> CatalogEntry:
        """This entry as `GET /v1/catalog` tells it."""
        doc = inspect.cleandoc(cls.__doc__ or "")
        schema = schema_by_kind(cls)
        knobs = {key: value for key, value in schema["properties"].items() if key != "name"}
        return CatalogEntry(
            kind=cls.kind,
            name=cls.model_fields["name"].default,
            summary=doc.split("\n", 1)[0],
            description=doc,
            formula=cls.formula,
            pitfall=cls.pitfall,
            paper=cls.paper,
            target=cls.target,
            knobs=knobs,
            definitions=schema.get("$defs", {}),
        )

    def knobs(self) -> dict[str, Any]:
        """The knobs and their values, as keyword arguments for the target."""
        return {key: getattr(self, key) for key in type(self).model_fields if key != "name"}

    def call(self, *args: Any, **more: Any) -> Call:
        """The call that makes what this entry names: its target with `args`, its knobs and `more`.

        Raises:
            ValueError: when the entry has no target; pure arithmetic such as a schedule has none.
        """
        if self.target is None:
            raise ValueError(f"{self.kind} {self.name!r} builds nothing")
        return Call(self.target, args, self.knobs() | more)


_by_kind: ContextVar[bool] = ContextVar("_by_kind", default=False)


def schema_by_kind(model: type[BaseModel]) -> dict[str, Any]:
    """A model's JSON Schema in which a field that holds an entry has the kind under `catalog`, not every entry."""
    token = _by_kind.set(True)
    try:
        return model.model_json_schema()
    finally:
        _by_kind.reset(token)


class OneOf:
    """Marks a field as `one of the entries below this class, told apart by name`.

    An entry is made ready when a job first names it: building all of them would delay every start by what a hundred
    optimizers cost.
    """

    def __init__(self, family: type[Entry]) -> None:
        self.family = family

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        if _by_kind.get():
            kinds = [{"type": "object", "catalog": kind, "required": ["name"]} for kind in self.family.kinds()]
            return kinds[0] if len(kinds) == 1 else {"oneOf": kinds}
        choices = {name: _core_schema(entry) for name, entry in self.family.members().items()}
        return handler(core_schema.tagged_union_schema(choices, discriminator="name"))

    def _validate(self, value: Any) -> Entry:
        if isinstance(value, self.family):
            return value
        if not isinstance(value, dict):
            raise PydanticKnownError("model_attributes_type")
        if "name" not in value:
            raise PydanticKnownError("union_tag_not_found", {"discriminator": "'name'"})
        name: object = value["name"]
        entry = self.family.find(name) if isinstance(name, str) else None
        if entry is None:
            known = ", ".join(f"'{known}'" for known in self.family.names())
            raise PydanticKnownError(
                "union_tag_invalid", {"discriminator": "'name'", "tag": str(name), "expected_tags": known}
            )
        try:
            return entry.model_validate(value)
        except ValidationError as error:
            raise _under(entry.model_fields["name"].default, error) from None


def _core_schema(entry: type[Entry]) -> CoreSchema:
    entry.model_rebuild()
    return entry.__pydantic_core_schema__


def _under(name: str, error: ValidationError) -> ValidationError:
    """The same error with the chosen entry's name in its places, as a tagged union has it."""
    return ValidationError.from_exception_data(
        error.title,
        [
            InitErrorDetails(type=line["type"], loc=(name, *line["loc"]), input=line["input"], ctx=line.get("ctx", {}))
            for line in error.errors()
        ],
    )


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
    """What it is for and when to use it."""
    formula: str
    """The mathematics in plain text."""
    pitfall: str = ""
    """What goes wrong with it."""
    paper: str
    """Where it comes from."""
    target: str | None
    """The PyTorch object that it builds, where there is one."""
    knobs: dict[str, Any]
    """Its settings, each as JSON Schema: type, bounds, default, description. A setting that holds another entry names
    its kind under `catalog`."""
    definitions: dict[str, Any]
    """Schemas that the knobs refer to."""
