"""How good a network is on rows that it does not learn from."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from api_schemas.catalog.metrics import MetricEntry, better
from api_schemas.jobs import EarlyStopping
from training.build import evaluate as make
from training.data.prepare import Data, Part
from training.data.prepare_text import TextPreparation
from training.language import judge_tokens
from training.losses import ClassLoss, NumberLoss
from training.reconstruction import EveryNumber, deviations

_CHUNK_ROWS = 16_384


@torch.inference_mode()
def scores(model: nn.Module, x: Tensor) -> Tensor:
    """What a network says (rows, outputs) of inputs (rows, inputs), a part of them at a time."""
    return torch.cat([model(rows) for rows in x.split(_CHUNK_ROWS)])


@torch.inference_mode()
def evaluate(
    model: nn.Module, loss: ClassLoss | NumberLoss, part: Part, data: Data, metrics: Sequence[MetricEntry]
) -> dict[str, float]:
    """Loss and metrics by their keys; a metric is NaN where it is not defined on these rows.

    The model is put into test mode for it: no dropout, batch norm by its running statistics. Metrics are computed in
    float64 on the CPU, numbers in the target's own units, inputs as the network sees them.
    """
    model.eval()
    if isinstance(data.preparation, TextPreparation):
        return _of_text(model, loss, part, data.preparation, metrics)
    said = scores(model, part.x)
    model.train()
    predicted = loss.predict(said.cpu().double()).numpy()
    if data.classes:
        likelihoods = predicted[np.arange(len(part.targets)), part.targets]
        known = {"targets": part.targets, "probabilities": predicted, "predictions": predicted.argmax(axis=1)}
        known["likelihoods"] = likelihoods
    elif isinstance(loss, EveryNumber):
        targets, predictions = deviations(part.targets, predicted)
        known = {"targets": targets, "predictions": predictions}
    else:
        known = {"targets": part.targets, "predictions": data.preparation.invert_target(predicted)}
    values = {metric.key: measure(metric, len(data.classes), known) for metric in metrics}
    return {"loss": loss(said, part.y).item(), **values}


def _of_text(
    model: nn.Module,
    loss: ClassLoss | NumberLoss,
    part: Part,
    preparation: TextPreparation,
    metrics: Sequence[MetricEntry],
) -> dict[str, float]:
    if isinstance(loss, NumberLoss):
        raise TypeError("tokens are classes")
    lost, predictions, likelihoods = judge_tokens(model, loss, part.x, part.y)
    model.train()
    known = {"targets": part.targets, "predictions": predictions, "likelihoods": likelihoods}
    known["lengths"] = preparation.tokens.lengths[part.targets]
    vocabulary = preparation.description.vocabulary
    return {"loss": lost, **{metric.key: measure(metric, vocabulary, known) for metric in metrics}}


def measure(metric: MetricEntry, classes: int, known: dict[str, np.ndarray]) -> float:
    """The value of a metric on the arrays that it asks for by name; NaN where it has none."""
    if not all(np.isfinite(values).all() for values in known.values()):
        return math.nan
    with warnings.catch_warnings(action="ignore"):  # scikit-learn warns of what the NaN says
        value = float(make(metric.measure(classes), known))
    return value if math.isfinite(value) else math.nan


class Patience:
    """Early stopping: watches one metric and says when it has not improved for long enough."""

    def __init__(self, spec: EarlyStopping) -> None:
        self._spec = spec
        self._sign = 1.0 if better(spec.metric) == "higher" else -1.0
        self.best: float | None = None
        """The best value so far, signed so that more is better."""
        self.waited = 0
        """How many evaluations ago it was."""

    @property
    def over(self) -> bool:
        """Whether to stop."""
        return self.waited >= self._spec.patience

    def see(self, values: dict[str, float]) -> None:
        """Take note of an evaluation; a value that is not a number is never better."""
        value = self._sign * values[self._spec.metric]
        is_better = math.isfinite(value) if self.best is None else value > self.best + self._spec.min_delta
        self.best, self.waited = (value, 0) if is_better else (self.best, self.waited + 1)
