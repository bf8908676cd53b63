"""The learning-rate schedules."""

from __future__ import annotations

from typing import Annotated

from annotated_types import MaxLen, MinLen

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

SchedulePiece = Annotated[ScheduleEntry, OneOf(ScheduleEntry)]
Schedule = Annotated[list[SchedulePiece], MinLen(1), MaxLen(50)]

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
    "SchedulePiece",
    "Step",
    "Tanh",
    "Wsd",
]
