"""What a run's bits depend on beside its spec, where its attempts differ in it."""

from __future__ import annotations

from api_schemas.advice import Advice
from api_schemas.jobs import Environment

CHANGED = "environment_changed"


def joined(before: Environment, here: Environment) -> Environment:
    """Of a run that goes on here from steps that were taken elsewhere, or by another number of threads."""
    deterministic = here.deterministic and before.deterministic and not differ(before, here)
    return here.model_copy(update={"deterministic": deterministic})


def differ(before: Environment, here: Environment) -> bool:
    """Whether the same step may round otherwise here."""
    return before.model_copy(update={"deterministic": here.deterministic}) != here


def warning(before: Environment, here: Environment, step: int) -> Advice:
    """What a person should know who compares the run with another one's bits."""
    message = (
        f"the curve before step {step} was computed on {_name(before)}, the rest on {_name(here)}: its last digits may "
        "not be those of a run that was never interrupted"
    )
    return Advice(pointer="/resources", code=CHANGED, message=message)


def _name(environment: Environment) -> str:
    threads = f"{environment.threads} thread{'s' if environment.threads > 1 else ''}"
    return f"{environment.device} with {threads} and torch {environment.torch}"
