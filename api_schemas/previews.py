"""What a schedule would do, asked and answered without a job."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le
from pydantic import ConfigDict

from api_schemas.base import Reply, Schema
from api_schemas.catalog.schedule_entry import Factors, lay_out
from api_schemas.catalog.schedules import Schedule


class ScheduleQuestion(Schema):
    """The body of `POST /v1/catalog/schedules/preview`."""

    model_config = ConfigDict(defer_build=False)  # as JobSpec's

    schedule: Schedule
    """Pieces that follow each other, as in a job."""
    lr: Annotated[float, Gt(0), Le(1000)] = 1.0
    """The optimizer's learning rate; at 1 the answer is the schedule's factors."""
    total_steps: Annotated[int, Ge(1), Le(1_000_000)] = 1000
    """Steps of the run."""
    steps_per_epoch: Annotated[int, Ge(1), Le(1_000_000)] = 100
    """What an epoch is in steps."""


class PreviewedPiece(Reply):
    """Where a piece of the schedule lies."""

    name: str
    from_step: int
    """Its first step, counted from 0."""
    to_step: int
    """Its last step within the run."""


class SchedulePreview(Reply):
    """The learning rate of every step."""

    object: Literal["schedule_preview"] = "schedule_preview"
    lr: list[float]
    """Of each step, the very numbers that a job has."""
    pieces: list[PreviewedPiece]
    """Those that the run gets to."""
    depends_on_metrics: bool
    """Whether a piece follows a metric; its rates are then those until the metric acts."""


def preview(question: ScheduleQuestion) -> SchedulePreview:
    """The learning rate of every step, without a job."""
    factors = Factors(question.schedule, question.total_steps, question.steps_per_epoch)
    placed = lay_out(question.schedule, question.total_steps, question.steps_per_epoch)
    last = question.total_steps - 1
    reached = [each for each in placed if each.start <= last]
    return SchedulePreview(
        lr=[question.lr * factors(step) for step in range(question.total_steps)],
        pieces=[
            PreviewedPiece(
                name=each.piece.name,
                from_step=each.start,
                to_step=last if each is placed[-1] else min(last, each.start + each.length - 1),
            )
            for each in reached
        ],
        depends_on_metrics=any(each.piece.metric_followed for each in reached),
    )
