"""The two base classes of every schema, strict inside and readable outside."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    PlainSerializer,
    Strict,
    StringConstraints,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from api_schemas.docstrings import docstrings


class Schema(BaseModel):
    """Frozen and strict: an unknown field, a number in quotes or a NaN is an error, not a guess."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        ser_json_inf_nan="null",
        defer_build=True,  # each class is built when it is first used, or within the one that holds it
    )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler, /) -> JsonSchemaValue:
        """Describe each field by its docstring.

        Pydantic's own `use_attribute_docstrings` reads the source whenever a class is made: a sixth of each start.
        """
        made = handler(schema)
        fields = handler.resolve_ref_schema(made)["properties"]
        for name, said in cls._docstrings().items():
            if name in fields:
                fields[name].setdefault("description", said)
        return made

    @classmethod
    def _docstrings(cls) -> dict[str, str]:
        """The docstring of each field, its own before an inherited one."""
        schemas = [base for base in reversed(cls.__mro__) if issubclass(base, Schema)]
        return {name: said for schema in schemas for name, said in docstrings(schema).items()}


class Reply(Schema):
    """What the gateway says. A client that is older than its gateway ignores the fields it does not know."""

    model_config = ConfigDict(extra="ignore")


def printable(text: str) -> str:
    """Refuse what no database column, log line or file name should hold.

    Raises:
        ValueError: on a control character, NUL among them, or half of a surrogate pair.
    """
    if not text.isprintable():
        raise ValueError("control characters are not allowed")
    return text


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


Label = Annotated[
    str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True), AfterValidator(printable)
]
"""A name that a person gives: 1 to 200 printable characters."""

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
"""A name that a machine reads: lower case letters, digits, - and _."""

Pair = Annotated[tuple[float, float], Strict(strict=False)]
"""Two numbers; JSON has lists only, so a list of two is taken."""

Time = Annotated[
    datetime,
    Strict(strict=False),
    AfterValidator(_utc),
    PlainSerializer(lambda at: at.isoformat().replace("+00:00", "Z"), return_type=str, when_used="json"),
]
"""A UTC moment, in JSON as RFC 3339; one without a zone is taken as UTC."""
