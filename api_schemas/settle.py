"""What a spec leaves open, filled in from what its target holds; what does not fit that is refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from api_schemas.catalog.layers import Image
from api_schemas.catalog.losses import CrossEntropy, LossEntry, Mse, Task, WeightedLossEntry
from api_schemas.catalog.metrics import MetricEntry, default_metrics
from api_schemas.catalog.model_entry import Learned
from api_schemas.catalog.preprocessing import NoPreprocessing, PreprocessingEntry, Standard
from api_schemas.datasets import Column
from api_schemas.errors import Fault, InvalidRequest
from api_schemas.jobs import JobSpec, Training
from api_schemas.splits import settle_split

_WHAT: dict[Learned, str] = {
    "target": "the target holds",
    "inputs": "an autoencoder gives back its inputs, which are",
    "next_token": "the tokens of a text are",
}


def settle(
    spec: JobSpec,
    target: str | None,
    classes: int,
    image: Image | None = None,
    columns: Sequence[Column] = (),
    *,
    learned: Learned = "target",
) -> JobSpec:
    """The spec with its target, loss, metrics, kind of split and target's preprocessing filled in.

    Args:
        spec: as the client sent it.
        target: the column to predict, or to leave out where none is; None where the dataset has it by itself or none.
        classes: how many there are of what is learned; 0 where it is numbers.
        image: what the rows are pictures of, where they are.
        columns: of the upload, which a split may go by.
        learned: what the network's scores are compared with; of the next token the classes are all tokens.

    Raises:
        InvalidRequest: with a pointer for each choice that does not fit the target or the rows.
    """
    task: Task = "classification" if classes else "regression"
    text = learned == "next_token"
    loss = _loss(spec.loss, task, learned)
    split = settle_split(spec.split, columns, classes, text=text)
    as_it_is = classes or loss.counts or learned == "inputs"
    rescaled = spec.preprocessing.target or (NoPreprocessing() if as_it_is else Standard())
    metrics = default_metrics(task, text=text) if spec.metrics is None else spec.metrics
    settled = spec.model_copy(
        update={
            "target": target,
            "loss": loss,
            "split": split,
            "preprocessing": spec.preprocessing.model_copy(update={"target": rescaled}),
            "metrics": metrics,
            "training": _training(spec, metrics),
        }
    )
    faults = [
        *_of_loss(loss, classes, text=text),
        *_of_preprocessing(spec.preprocessing.numeric, image),
        *_of_target_preprocessing(rescaled, loss, learned),
        *_of_metrics(metrics, task, classes, text=text),
        *_of_watched(settled),
    ]
    if faults:
        raise InvalidRequest.of(faults)
    return settled


def _training(spec: JobSpec, metrics: Sequence[MetricEntry]) -> Training:
    """With what says which weights are best, and a learning rate of 0 for what is frozen, before any other."""
    frozen = dict.fromkeys(spec.init.freeze, 0.0) if spec.init else {}
    rates = {**frozen, **spec.training.layer_rates, **frozen}
    best = spec.training.best_metric or (f"val/{metrics[0].key}" if metrics else "val/loss")
    return spec.training.model_copy(update={"layer_rates": rates, "best_metric": best})


def _loss(asked: LossEntry | None, task: Task, learned: Learned) -> LossEntry:
    """The asked loss, or the usual one; without the right one nothing else can be judged."""
    usual = CrossEntropy() if task == "classification" else Mse()
    if asked is not None and asked.task != task:
        holds = "classes" if task == "classification" else "numbers"
        message = f"{asked.name!r} is for {asked.task}, and {_WHAT[learned]} {holds}; use {usual.name!r}"
        raise InvalidRequest.at("/loss", "wrong_task", message)
    if asked is not None and asked.counts and learned == "inputs":
        message = f"{asked.name!r} is for counts, and what comes in is rescaled; use {usual.name!r}"
        raise InvalidRequest.at("/loss", "wrong_task", message)
    return asked or usual


def _of_loss(loss: LossEntry, classes: int, *, text: bool) -> Iterator[Fault]:
    if loss.only_classes and classes != loss.only_classes:
        yield Fault(
            pointer="/loss",
            code="wrong_classes",
            message=f"{loss.name!r} is for {loss.only_classes} classes, and the target has {classes}; use "
            "'cross_entropy'",
        )
    weights = loss.class_weights if isinstance(loss, WeightedLossEntry) else None
    if text and weights:
        message = "the tokens of a text weigh the same; leave class_weights out"
        yield Fault(pointer="/loss/class_weights", code="wrong_task", message=message)
    elif isinstance(weights, list) and len(weights) != classes:
        yield Fault(
            pointer="/loss/class_weights",
            code="wrong_length",
            message=f"{len(weights)} weights for {classes} classes; give one for each, or 'balanced'",
        )


def _of_preprocessing(entry: PreprocessingEntry, image: Image | None) -> Iterator[Fault]:
    if entry.needs_image and image is None:
        yield Fault(
            pointer="/preprocessing/numeric",
            code="no_image",
            message=f"{entry.name!r} needs rows that are pictures, and this dataset's are not known to be; use "
            "'standard'",
        )


def _of_target_preprocessing(entry: PreprocessingEntry, loss: LossEntry, learned: Learned) -> Iterator[Fault]:
    pointer = "/preprocessing/target"
    plain = isinstance(entry, NoPreprocessing)
    if learned == "inputs" and not plain:
        message = "no target is learned; leave it out, `numeric` says what is done to the inputs"
        yield Fault(pointer=pointer, code="wrong_task", message=message)
    elif loss.task == "classification" and not plain:
        yield Fault(pointer=pointer, code="wrong_task", message="classes are not rescaled; leave it out")
    elif loss.counts and not plain:
        yield Fault(
            pointer=pointer, code="rescaled_counts", message=f"{loss.name!r} takes counts as they are; leave it out"
        )
    elif not entry.invertible:
        yield Fault(
            pointer=pointer,
            code="not_invertible",
            message=f"predictions could not be brought back from {entry.name!r}; use 'standard'",
        )


def _of_metrics(metrics: list[MetricEntry], task: Task, classes: int, *, text: bool) -> Iterator[Fault]:
    seen: set[str] = set()
    for place, metric in enumerate(metrics):
        pointer = f"/metrics/{place}"
        if metric.task != task:
            fitting = ", ".join(name for name, entry in MetricEntry.members().items() if _is_of(entry, task))
            message = f"{metric.name!r} is for {metric.task}; for this target there are {fitting}"
            yield Fault(pointer=pointer, code="wrong_task", message=message)
        elif metric.judges == ("tables" if text else "text"):
            of = "needs the chances of all tokens at every place, which are too many" if text else "is for text"
            yield Fault(pointer=pointer, code="wrong_task", message=f"{metric.name!r} {of}; use 'perplexity'")
        elif classes and metric.fewest_classes > classes:
            message = f"{metric.key!r} needs at least {metric.fewest_classes} classes, and the target has {classes}"
            yield Fault(pointer=pointer, code="too_few_classes", message=message)
        elif metric.key in seen:
            yield Fault(pointer=pointer, code="duplicate", message=f"{metric.key!r} is there already; leave it out")
        seen.add(metric.key)


def _is_of(entry: type, task: Task) -> bool:
    return issubclass(entry, MetricEntry) and entry.task == task


def _of_watched(spec: JobSpec) -> Iterator[Fault]:
    """What is followed during the run has to be reported by its evaluations."""
    known = ["val/loss", *(f"val/{metric.key}" for metric in spec.metrics or [])]
    for pointer, key in _watched(spec):
        if key not in known:
            message = f"this job's evaluations report {', '.join(known)}; `metrics` says what else they shall"
            yield Fault(pointer=pointer, code="unknown_metric", message=message)


def _watched(spec: JobSpec) -> Iterator[tuple[str, str]]:
    if spec.training.early_stopping:
        yield "/training/early_stopping/metric", spec.training.early_stopping.metric
    if spec.training.best_metric:
        yield "/training/best_metric", spec.training.best_metric
    for field in ("schedule", "momentum_schedule", "weight_decay_schedule"):
        for place, piece in enumerate(getattr(spec, field) or []):
            if piece.metric_followed:
                yield f"/{field}/{place}/metric", piece.metric_followed
