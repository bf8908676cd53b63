"""The learning-rate schedules."""

from __future__ import annotations

from typing import Annotated

from annotated_types import MaxLen, MinLen
from pydantic import AfterValidator

from api_schemas.catalog.entry import OneOf
from api_schemas.catalog.schedule_cycles import Chebyshev, CosineRestarts, Cyclic, Noam, OneCycle, Wsd
from api_schemas.catalog.schedule_decays import (
    Constant,
    Cosine,
    Exponential,
    InverseSqrt,
    Linear,
    LinearWarmup,
    MultiStep,
    OneOverT,
    Polynomial,
    Rex,
    Step,
    Tanh,
)
from api_schemas.catalog.schedule_entry import ScheduleEntry
from api_schemas.catalog.schedule_plateau import Plateau


def _only_the_last_is_open(pieces: list[ScheduleEntry]) -> list[ScheduleEntry]:
    for piece in pieces[:-1]:
        if piece.steps is None and piece.epochs is None and piece.fraction is None:
            raise ValueError(
                f"only the last piece may leave its length open; give {piece.name!r} steps, epochs or fraction"
            )
    return pieces


SchedulePiece = Annotated[ScheduleEntry, OneOf(ScheduleEntry)]
Schedule = Annotated[list[SchedulePiece], MinLen(1), MaxLen(50), AfterValidator(_only_the_last_is_open)]
"""Pieces that follow each other; each but the last says how long it is."""

__all__ = [
    "Chebyshev",
    "Constant",
    "Cosine",
    "CosineRestarts",
    "Cyclic",
    "Exponential",
    "InverseSqrt",
    "Linear",
    "LinearWarmup",
    "MultiStep",
    "Noam",
    "OneCycle",
    "OneOverT",
    "Plateau",
    "Polynomial",
    "Rex",
    "Schedule",
    "ScheduleEntry",
    "SchedulePiece",
    "Step",
    "Tanh",
    "Wsd",
]
