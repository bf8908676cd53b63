"""Jobs, plans and datasets in words, for people at a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from rich.text import Text

from api_schemas.catalog import Entry
from api_schemas.catalog.metrics import leading
from api_schemas.datasets import Column, Dataset, Upload
from api_schemas.jobs import Job, JobSpec, JobState, Plan

_STYLES: dict[JobState, str] = {
    "queued": "dim",
    "running": "cyan",
    "pausing": "yellow",
    "paused": "yellow",
    "cancelling": "yellow",
    "succeeded": "green",
    "failed": "bold red",
    "cancelled": "yellow",
}
_SIGNS: dict[JobState, str] = {"succeeded": "✔", "failed": "✘", "cancelled": "■"}

Row = tuple[str, str | Text]


def state_text(state: JobState) -> Text:
    """A state in its colour."""
    return Text(state, _STYLES[state])


def verdict(job: Job) -> Text:
    """How a job ended, in one line or two."""
    text = Text.assemble((f"{_SIGNS.get(job.state, '·')} {job.state}", _STYLES[job.state]))
    if job.started_at and job.finished_at:
        text.append(f" in {duration(job.finished_at - job.started_at)}")
    if job.error:
        text.append(f": {job.error.message}\n  {job.error.hint}")
    elif job.state == "cancelled":
        text.append(f" at step {job.progress.step}")
    elif score := score_text(job):
        text.append(f": {score}")
    return text


def score_text(job: Job) -> str:
    """The metric that matters most, as it is last; empty before the first."""
    for key in (f"val/{leading(job.metrics)}", "val/loss", "train/loss"):
        if key in job.metrics:
            return f"{key} {number(job.metrics[key].last)}"
    return ""


def job_headers() -> list[str]:
    """The columns of `job_row`."""
    return ["id", "name", "state", "done", "metric", "age"]


def job_row(job: Job, now: datetime | None = None) -> list[str | Text]:
    """A job as a row of a table."""
    progress = job.progress
    done = f"{100 * progress.step // progress.total_steps}%" if progress.total_steps else ""
    age = duration((now or datetime.now(UTC)) - job.created_at)
    return [job.id, job.name, state_text(job.state), done, score_text(job), age]


def job_rows(job: Job) -> Iterator[Row]:
    """Everything worth knowing about a job, as names and values."""
    yield "id", job.id
    yield "name", job.name
    if job.tags:
        yield "tags", ", ".join(f"{name}={value}" for name, value in job.tags.items())
    yield "state", Text.assemble(state_text(job.state), f"  {job.state_reason}")
    if job.waiting:
        yield "waits for", f"{job.waiting.for_}; {job.waiting.ahead:,} ahead"
    if job.error:
        yield "error", f"{job.error.code}: {job.error.message}"
        yield "hint", job.error.hint
    yield "progress", progress_text(job)
    yield "created", f"{job.created_at:%Y-%m-%d %H:%M:%S} UTC"
    if job.started_at and job.finished_at:
        yield "took", duration(job.finished_at - job.started_at)
    yield from spec_rows(job.spec)
    if job.parameters is not None:
        yield "parameters", f"{job.parameters:,}"
    for key, summary in job.metrics.items():
        best = "" if summary.best_step is None else f"  best {number(summary.best)} at step {summary.best_step}"
        yield key, f"{number(summary.last)}{best}"
    if job.environment:
        env = job.environment
        yield "ran on", f"{env.device}, torch {env.torch}, {env.threads} threads"


def plan_rows(plan: Plan) -> Iterator[Row]:
    """What a spec would do, as names and values."""
    yield from spec_rows(plan.spec)
    yield "rows", f"{plan.train_rows} train, {plan.validation_rows} validation, {plan.test_rows} test"
    yield "steps", f"{plan.total_steps} ({plan.steps_per_epoch} an epoch)"
    yield "parameters", f"{plan.parameters:,}"
    yield "a step", f"{plan.flops_per_step:,} FLOPs"
    yield "memory", f"about {size(plan.memory_bytes)} beyond PyTorch"
    yield "time", f"about {duration(timedelta(seconds=plan.seconds))} on one core"


def spec_rows(spec: JobSpec) -> Iterator[Row]:
    """What a spec chooses; knobs that have their default are left out."""
    yield "dataset", spec.dataset.id if isinstance(spec.dataset, Upload) else entry_text(spec.dataset)
    if spec.target:
        yield "target", spec.target
    yield "model", entry_text(spec.model)
    if spec.loss:
        yield "loss", entry_text(spec.loss)
    yield "optimizer", entry_text(spec.optimizer, "lr")
    yield "schedule", ", then ".join(entry_text(piece) for piece in spec.schedule)
    yield "training", f"{spec.training.epochs} epochs, batches of {spec.training.batch_size}, seed {spec.training.seed}"


def entry_text(entry: Entry, *always: str) -> str:
    """A catalog entry with the knobs that are not as by default, such as `sgd lr=0.1 momentum=0.9`."""
    fields = type(entry).model_fields
    shown = {key: value for key, value in entry.knobs().items() if key in always or value != fields[key].get_default()}
    knobs = (f"{key}={entry_text(value) if isinstance(value, Entry) else value}" for key, value in shown.items())
    return " ".join((entry.name, *knobs))


def dataset_headers() -> list[str]:
    """The columns of `dataset_row`."""
    return ["id", "name", "state", "rows", "size", "target"]


def dataset_row(dataset: Dataset) -> list[str | Text]:
    """A dataset as a row of a table."""
    rows = "" if dataset.rows is None else f"{dataset.rows:,}"
    return [dataset.id, dataset.name, dataset.state, rows, size(dataset.bytes), dataset.target or ""]


def column_headers() -> list[str]:
    """The columns of `column_row`."""
    return ["column", "type", "role", "distinct", "missing", "values"]


def column_row(column: Column) -> list[str | Text]:
    """A dataset's column as a row of a table."""
    stats = column.stats
    missing = str(stats.missing) if stats.missing else ""
    spread = "" if stats.mean is None or stats.std is None else f"{number(stats.mean)} ± {number(stats.std)}"
    return [column.name, column.type, column.role, str(stats.distinct), missing, spread or str(stats.example or "")]


def progress_text(job: Job) -> str:
    """How far a job is, how fast it goes and when it will be there."""
    progress = job.progress
    parts = [f"{progress.step:,}/{progress.total_steps:,} steps", f"epoch {progress.epoch:.4g}"]
    if progress.samples_per_second and not job.terminal:
        parts.append(f"{progress.samples_per_second:,.0f} rows/s")
    if progress.eta_seconds is not None and not job.terminal:
        parts.append(f"{duration(timedelta(seconds=progress.eta_seconds))} left")
    return "  ".join(parts)


def number(value: float | None) -> str:
    """A measurement in four digits."""
    return "not finite" if value is None else f"{value:.4g}"


def duration(length: timedelta) -> str:
    """A length of time in its two largest units."""
    seconds = max(0.0, length.total_seconds())
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if days:
        return f"{days:.0f} d {hours % 24:.0f} h"
    if hours:
        return f"{hours:.0f} h {minutes % 60:.0f} min"
    if minutes:
        return f"{minutes:.0f} min {seconds % 60:.0f} s"
    return f"{seconds:.0f} s"


def size(count: int) -> str:
    """A number of bytes in the unit that fits it."""
    value = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"
