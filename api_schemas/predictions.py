"""Predictions: raw rows or a prompt go to a trained model, classes, numbers or text come back."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Le, Len, MinLen
from pydantic import ConfigDict, JsonValue, StringConstraints, model_validator

from api_schemas.base import Reply, Schema

ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class PredictionRequest(Schema):
    """The body of `POST .../predict`: columns as the dataset has them, row by row or column by column, or a prompt."""

    model_config = ConfigDict(defer_build=False)  # as JobSpec's

    rows: Annotated[list[dict[ColumnName, JsonValue]], Len(1, 100_000)] | None = None
    """One object a row, such as `[{"age": 61, "sex": "f"}]`; what a row leaves out, or null, is a missing value."""
    columns: Annotated[dict[ColumnName, Annotated[list[JsonValue], Len(1, 100_000)]], MinLen(1)] | None = None
    """One list a column, such as `{"age": [61, 47], "sex": ["f", "m"]}`; null is a missing value."""
    prompt: Annotated[str, StringConstraints(min_length=1, max_length=100_000)] | None = None
    """How a text begins that a language model shall go on with; it sees the last `context` tokens of it."""
    length: Annotated[int, Ge(1), Le(10_000)] = 200
    """How many tokens to write behind a prompt."""
    temperature: Annotated[float, Ge(0), Le(100)] = 1.0
    """What the scores of the tokens are divided by before chance decides; 0 always takes the likeliest."""
    seed: Annotated[int, Ge(0), Le(2**63 - 1)] = 0
    """The same seed writes the same text."""

    @model_validator(mode="after")
    def _one_form(self) -> PredictionRequest:
        if [self.rows, self.columns, self.prompt].count(None) != 2:
            raise ValueError("give the rows to predict either as `rows` or as `columns`, or a `prompt` to go on with")
        if self.columns and len({len(values) for values in self.columns.values()}) > 1:
            lengths = ", ".join(f"{name} {len(values)}" for name, values in list(self.columns.items())[:10])
            raise ValueError(f"columns have one value a row, and these have different lengths: {lengths}")
        return self

    def by_column(self) -> dict[str, list[JsonValue]]:
        """The values of each column, None where one is missing."""
        if self.columns is not None:
            return self.columns
        rows = self.rows or []
        return {name: [row.get(name) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)}


class Prediction(Reply):
    """What a model says of rows, in their order."""

    object: Literal["prediction"] = "prediction"
    job: str
    """Whose model it is."""
    target: str | None
    """The predicted column; null where the dataset has no name for it."""
    classes: list[str] = []
    """The classes; empty where a number is predicted."""
    predictions: list[str] | list[float | None]
    """The likeliest class, or the number in the target's own unit, of each row; null is no finite number. Of a prompt
    the text that follows it. Of an autoencoder the row's error: the mean square, over the inputs as they are prepared,
    of what it missed; a row with a large one is unlike those of the training."""
    probabilities: list[list[float | None]] | None = None
    """How likely each of the classes is, for each row; null where a number is predicted."""
    codes: list[list[float | None]] | None = None
    """What an autoencoder makes of each row; null for other models."""
    reconstructions: list[dict[str, JsonValue]] | None = None
    """What each row came back as, by column: numbers in their own units, the likeliest of categories, an array flat in
    the order of its axes. Null for models that are no autoencoder."""


class Pending(Reply):
    """A worker is still at it: ask again where `Location` says, after `Retry-After` seconds."""

    object: Literal["pending"] = "pending"
    detail: str
    """What it is about."""
