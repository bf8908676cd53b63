"""The registry: names that point at trained models."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import MaxLen
from pydantic import ConfigDict, StringConstraints

from api_schemas.base import Reply, Schema, Slug, Time

Alias = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
"""A name for a version, such as `champion`; it begins with a letter, so that it is never taken for a number."""


class ModelChange(Schema):
    """The body of `PUT /v1/models/{name}`."""

    model_config = ConfigDict(defer_build=False)  # as JobSpec's

    job: Annotated[str, StringConstraints(max_length=64)]
    """Whose model the name shall have; it becomes the next version, unless it is one already."""
    aliases: Annotated[list[Alias], MaxLen(20)] = []
    """Names that this version gets, such as `champion`; another version that had one loses it."""


class ModelVersion(Reply):
    """One model under a name."""

    version: int
    """Counted from 1; never given twice."""
    job: str
    """Whose model it is."""
    aliases: list[str] = []
    created_at: Time


class RegisteredModel(Reply):
    """A name and the models that it stands for."""

    object: Literal["model"] = "model"
    name: Slug
    latest: int
    """The version that the bare name means: the highest."""
    versions: list[ModelVersion]
    """Newest first."""
