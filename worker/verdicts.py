"""What is said of attempts that did not end by themselves."""

from __future__ import annotations

import signal

from api_schemas.jobs import JobError, Resources

FILE_GONE = JobError(
    code="bad_data",
    message="the dataset's file, or the model to begin with, is not where it was stored",
    hint="upload the dataset again, or begin with another model",
)


def crashed(exit_code: int) -> JobError:
    """The trainer ended without a last word."""
    if exit_code == -signal.SIGKILL:
        return JobError(
            code="crashed",
            message="the trainer was killed (SIGKILL)",
            hint="mostly the machine ran out of memory: use a smaller batch or network",
        )
    if exit_code < 0:
        return JobError(
            code="crashed",
            message=f"the trainer was ended by signal {signal.Signals(-exit_code).name}",
            hint="a fault in native code or in the machine; the worker's log has more",
        )
    return JobError(
        code="internal_error",
        message=f"the trainer ended with status {exit_code}",
        hint="a fault of Anneal's; the worker's log has the traceback",
    )


def timed_out(resources: Resources) -> JobError:
    """It ran for longer than it may."""
    return JobError(
        code="timeout",
        message=f"still running after {resources.max_seconds:g} s",
        hint="raise resources.max_seconds, or train less",
    )


def stuck(resources: Resources, steps_done: int) -> JobError:
    """It got no further for longer than it may."""
    return JobError(
        code="stuck",
        message=f"got no further than {steps_done} steps for {resources.max_silent_seconds:g} s",
        hint="its data or its device does not answer; where preparing the data, compiling or a step may take as long, "
        "raise resources.max_silent_seconds",
    )
