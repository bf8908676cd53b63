"""The metrics: what held-out rows are judged by beside the loss, and which way each of them is better."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Le

from api_schemas.catalog.call import Call, Name
from api_schemas.catalog.entry import Entry, OneOf
from api_schemas.catalog.losses import Task

Better = Literal["higher", "lower"]


class MetricEntry(Entry):
    """What held-out rows are judged by, in float64 and in the target's own units."""

    kind = "metrics"
    task: ClassVar[Task]
    """What kind of target it is for."""
    better: ClassVar[Better]
    """Which way it improves."""
    judges: ClassVar[Literal["any", "tables", "text"]] = "any"
    """What it is for: those for tables look at the probabilities of all classes, which are too many in text."""

    @property
    def key(self) -> str:
        """What its series is called, as in `val/<key>`."""
        return self.name

    @property
    def fewest_classes(self) -> int:
        """How many classes there must be; no matter where the target is a number."""
        return 2

    @classmethod
    def owns(cls, key: str) -> bool:
        """Whether a series of this key is one of this metric's."""
        return key == cls.model_fields["name"].default

    def measure(self, classes: int) -> Call:
        """The call that computes it, from values by these names.

        For classes `targets` (rows,) and `predictions` (rows,) are class numbers, `probabilities` is of shape
        (rows, classes), and `likelihoods` (rows,) has the right class's; for numbers `targets` and `predictions`
        (rows,) are in the target's own units. In text every token is a row; there are no `probabilities`, which are
        too many, and `lengths` (rows,) has the characters of each right token.

        Args:
            classes: how many there are; 0 where the target is a number.
        """
        return self.call(Name("targets"), Name("predictions"))


class Accuracy(MetricEntry):
    """Share of the rows whose likeliest class is the right one."""

    formula = "A = mean of (argmax p = y)"
    pitfall = "Where nine of ten rows are of one class, a network that always says so gets 0.9."
    target = "sklearn.metrics.accuracy_score"
    task = "classification"
    better = "higher"
    name: Literal["accuracy"] = "accuracy"


class BalancedAccuracy(MetricEntry):
    """Mean over the classes of the share of each class's rows that is found: rare classes count as much as others."""

    formula = "A = mean over k of (rows of class k that are found / rows of class k)"
    paper = "Brodersen et al. 2010"
    pitfall = "A class of a few rows makes it jump from evaluation to evaluation."
    target = "sklearn.metrics.balanced_accuracy_score"
    task = "classification"
    better = "higher"
    name: Literal["balanced_accuracy"] = "balanced_accuracy"


class TopK(MetricEntry):
    """Share of the rows whose right class is among the k likeliest; its series is called top_5 for k = 5."""

    formula = "A = mean of (y among the k largest p)"
    paper = "Russakovsky et al. 2015"
    pitfall = "With few classes it is near 1 for any network: chance alone gets k / K."
    target = "sklearn.metrics.top_k_accuracy_score"
    task = "classification"
    better = "higher"
    judges = "tables"
    name: Literal["top_k"] = "top_k"
    k: Annotated[int, Ge(2), Le(999)] = 5
    """How many guesses a row has; fewer than there are classes. One guess is accuracy."""

    @property
    def key(self) -> str:
        return f"top_{self.k}"

    @property
    def fewest_classes(self) -> int:
        return self.k + 1

    @classmethod
    def owns(cls, key: str) -> bool:
        return re.fullmatch(r"top_\d+", key) is not None

    def measure(self, classes: int) -> Call:
        return self.call(Name("targets"), Name("probabilities"), labels=list(range(classes)))


class F1Macro(MetricEntry):
    """Harmonic mean of precision and recall for each class, and the mean of these."""

    formula = "F = mean over k of 2 TP_k / (2 TP_k + FP_k + FN_k)"
    paper = "van Rijsbergen 1979"
    pitfall = "It jumps with every row of a rare class, and looks at the likeliest class alone, however sure."
    target = "sklearn.metrics.f1_score"
    task = "classification"
    better = "higher"
    name: Literal["f1_macro"] = "f1_macro"

    def measure(self, classes: int) -> Call:
        return self.call(Name("targets"), Name("predictions"), average="macro", zero_division=0)


class RocAuc(MetricEntry):
    """Chance that a row of a class gets a higher probability for it than a row of another class.

    With two classes for the second one; with more the mean of each class against the rest. 0.5 is guessing. It is not
    a number where a class has no row.
    """

    formula = "A = P(p_k of a row of class k > p_k of another row), ties by half, the mean over k"
    paper = "Hanley and McNeil 1982"
    pitfall = (
        "It judges the order alone: probabilities that are too small by the same rule everywhere still get 1. Where a "
        "class is rare it looks better than what is found of it."
    )
    target = "training.metrics.roc_auc"
    task = "classification"
    better = "higher"
    judges = "tables"
    name: Literal["roc_auc"] = "roc_auc"

    def measure(self, classes: int) -> Call:
        return self.call(Name("targets"), Name("probabilities"))


class CalibrationError(MetricEntry):
    """Expected calibration error: by how much the network is surer, or less sure, than it is right.

    Rows are put into bins by the probability of their likeliest class; in each bin that probability is compared with
    the share that is right.
    """

    formula = "E = sum over bins of (rows in it / rows) |accuracy - mean of max p|"
    paper = "Naeini, Cooper and Hauskrecht 2015; Guo et al. 2017"
    pitfall = (
        "It depends on the bins, and with few rows it is above 0 for a perfect network too. Scores that are no log "
        "probabilities, such as those of the hinge loss, are not calibrated to begin with."
    )
    target = "torchmetrics.functional.classification.multiclass_calibration_error"
    task = "classification"
    better = "lower"
    judges = "tables"
    name: Literal["calibration_error"] = "calibration_error"
    n_bins: Annotated[int, Ge(2), Le(1000)] = 15
    """Into how many equal parts 0 to 1 is cut."""

    def measure(self, classes: int) -> Call:
        probabilities, targets = (Call("torch.from_numpy", (Name(name),)) for name in ("probabilities", "targets"))
        return self.call(probabilities, targets, num_classes=classes)


class Perplexity(MetricEntry):
    """Among how many equally likely classes the network seems to choose: 1 is sure and right, K is a blind guess.

    For text, whose classes are the tokens, it is the usual measure.
    """

    formula = "P = exp(-mean of log p_y)"
    paper = "Jelinek et al. 1977"
    pitfall = (
        "A longer token is harder to guess: perplexities of different tokenizers do not compare, bits per character do."
    )
    target = "training.metrics.perplexity"
    task = "classification"
    better = "lower"
    name: Literal["perplexity"] = "perplexity"

    def measure(self, classes: int) -> Call:
        return self.call(Name("likelihoods"))


class BitsPerCharacter(MetricEntry):
    """Into how many bits the network could pack a character of the text, whatever its tokens are."""

    formula = "B = -sum of log2 p_y / characters"
    paper = "Shannon 1951"
    pitfall = "At the start of each window little is seen yet, so a longer context alone makes it smaller."
    target = "training.metrics.bits_per_character"
    task = "classification"
    better = "lower"
    judges = "text"
    name: Literal["bits_per_character"] = "bits_per_character"

    def measure(self, classes: int) -> Call:
        return self.call(Name("likelihoods"), Name("lengths"))


class R2(MetricEntry):
    """Share of the target's variance that is explained: 1 is perfect, 0 no better than the mean, below 0 worse.

    It is not a number where all targets are the same.
    """

    formula = "R2 = 1 - sum (y - z)^2 / sum (y - mean y)^2"
    pitfall = "A few extreme targets decide it, and it grows with the spread of the target, not with the fit alone."
    target = "sklearn.metrics.r2_score"
    task = "regression"
    better = "higher"
    name: Literal["r2"] = "r2"

    def measure(self, classes: int) -> Call:
        return self.call(Name("targets"), Name("predictions"), force_finite=False)


class ExplainedVariance(MetricEntry):
    """R2 without regard to a constant offset: above R2 where predictions are too high or too low on the whole."""

    formula = "V = 1 - Var(y - z) / Var(y)"
    pitfall = "Predictions that are all off by the same amount get 1."
    target = "sklearn.metrics.explained_variance_score"
    task = "regression"
    better = "higher"
    name: Literal["explained_variance"] = "explained_variance"

    def measure(self, classes: int) -> Call:
        return self.call(Name("targets"), Name("predictions"), force_finite=False)


class MeanAbsoluteError(MetricEntry):
    """Mean absolute error, in the target's own units."""

    formula = "E = mean |y - z|"
    pitfall = "Says nothing of how bad the worst rows are."
    target = "sklearn.metrics.mean_absolute_error"
    task = "regression"
    better = "lower"
    name: Literal["mae"] = "mae"


class RootMeanSquaredError(MetricEntry):
    """Root of the mean squared error, in the target's own units: the standard deviation of what is missed."""

    formula = "E = sqrt(mean (y - z)^2)"
    pitfall = "One row that is far off can decide it."
    target = "sklearn.metrics.root_mean_squared_error"
    task = "regression"
    better = "lower"
    name: Literal["rmse"] = "rmse"


class MedianAbsoluteError(MetricEntry):
    """Half of the rows are missed by less than this, in the target's own units."""

    formula = "E = median |y - z|"
    pitfall = "Blind to the worse half of the rows."
    target = "sklearn.metrics.median_absolute_error"
    task = "regression"
    better = "lower"
    name: Literal["median_absolute_error"] = "median_absolute_error"


Metric = Annotated[MetricEntry, OneOf(MetricEntry)]


def default_metrics(task: Task, *, text: bool = False) -> list[MetricEntry]:
    """What a job is judged by unless it says otherwise."""
    if text:
        return [Perplexity(), BitsPerCharacter(), Accuracy()]
    return [Accuracy()] if task == "classification" else [R2(), MeanAbsoluteError()]


def better(key: str) -> Better:
    """Which way a series such as `val/top_5` improves; losses, and whatever else is no metric, should fall."""
    for entry in _entries():
        if entry.owns(_measured(key)):
            return entry.better
    return "lower"


def leading(keys: Iterable[str]) -> str | None:
    """What to show where there is room for one: the key, without its part, of the first metric.

    Args:
        keys: of series, such as `val/loss` and `val/accuracy`, in the order that the job names its metrics.
    """
    return next((key for key in map(_measured, keys) if any(entry.owns(key) for entry in _entries())), None)


def _measured(key: str) -> str:
    """The key of a series without the part of the data that it is of."""
    return key.rpartition("/")[2]


def _entries() -> list[type[MetricEntry]]:
    return [entry for entry in MetricEntry.members().values() if issubclass(entry, MetricEntry)]
