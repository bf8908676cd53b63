"""What stands below a field in the source is what people read about it."""

from typing import Annotated

from pydantic import Field, create_model

from api_schemas.base import Schema


class Plain(Schema):
    """Some fields."""

    rate: float = 0.1
    """How far a step goes,

    and no further.
    """
    bare: int = 0
    given: Annotated[int, Field(description="said at the field")] = 0
    """said below it"""


class Heir(Plain):
    """One more, and one that it has otherwise."""

    rate: float = 0.2
    more: Plain = Plain()
    """Another schema."""


def described(schema):
    return {name: field.get("description") for name, field in schema.model_json_schema()["properties"].items()}


def test_a_field_is_described_by_what_stands_below_it_unless_it_says_so_itself():
    assert described(Plain) == {
        "rate": "How far a step goes,\n\nand no further.",
        "bare": None,
        "given": "said at the field",
    }


def test_an_heir_keeps_what_was_said_of_its_fields():
    assert described(Heir) == described(Plain) | {"more": "Another schema."}


def test_a_class_that_no_source_holds_says_what_its_bases_do():
    made = create_model("Made", __base__=Plain, other=(int, Field(default=1, description="given")))
    assert described(made) == described(Plain) | {"other": "given"}
