"""The losses."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen

from api_schemas.catalog.call import Call, Name
from api_schemas.catalog.entry import Entry, OneOf

Task = Literal["classification", "regression"]
ClassWeights = Annotated[list[Annotated[float, Gt(0), Le(1e6)]], MinLen(2), MaxLen(1000)]


class LossEntry(Entry):
    """What training makes small; its value is the mean over the rows of a batch."""

    kind = "losses"
    task: ClassVar[Task]
    """What kind of target it is for."""
    only_classes: ClassVar[int | None] = None
    """How many classes the target must have; None for any number of them."""
    counts: ClassVar[bool] = False
    """Whether the target must hold counts, which then stay as they are."""
    squashes: ClassVar[Literal["softmax", "sigmoid", ""]] = ""
    """What it does to the network's outputs itself, so that they have to be plain scores."""

    def outputs(self, classes: int) -> int:
        """Width of the network's output.

        Args:
            classes: how many there are; 0 where the target is a number.
        """
        return max(1, classes)


class WeightedLossEntry(LossEntry):
    """A loss for classes that can count some of them more than others."""

    class_weights: Literal["balanced"] | ClassWeights | None = None
    """What a row of each class counts, in the order of the classes; `balanced` gives every class the same say, n / (K
    n_k) on the training rows. The mean over a batch is then the weighted one, as PyTorch has it."""

    def call(self, *args: Any, **more: Any) -> Call:
        """The call that makes it, from `class_counts` (classes,) of the training rows where the weights follow them."""
        if self.class_weights == "balanced":
            more = {"class_weights": Call("training.losses.balanced_weights", (Name("class_counts"),))} | more
        return super().call(*args, **more)


class CrossEntropy(WeightedLossEntry):
    """Cross-entropy of the softmax of the network's outputs: the loss for classes.

    Its gradient is softmax(z) - y: the more wrong, the steeper. The network ends in plain scores; the softmax is in
    here.
    """

    formula = "L = -sum_k y_k log softmax(z)_k"
    pitfall = "A softmax of your own before it is applied twice, and the network then hardly learns."
    paper = "Bridle 1990"
    target = "training.losses.CrossEntropy"
    task = "classification"
    squashes = "softmax"

    name: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Share of the target that is spread over all classes."""


class BinaryCrossEntropy(WeightedLossEntry):
    """Cross-entropy of the sigmoid of one output: logistic regression's loss, for two classes.

    The same as cross-entropy with two outputs, whose softmax is the sigmoid of their difference; with two outputs each
    is moved, so the difference learns twice as fast at the same learning rate.
    """

    formula = "L = -log sigmoid(z) for the second class, -log(1 - sigmoid(z)) for the first"
    paper = "Cox 1958"
    pitfall = "For two classes only."
    target = "training.losses.BinaryCrossEntropy"
    task = "classification"
    squashes = "sigmoid"
    only_classes = 2

    name: Literal["binary_cross_entropy"] = "binary_cross_entropy"

    def outputs(self, classes: int) -> int:
        return 1


class MseSoftmax(LossEntry):
    """Mean squared error on softmax outputs, so that one can see why not.

    Where the network is surely wrong the softmax is flat and the gradient vanishes: for scores (10, -10, 0) and the
    wrong class its gradient is 9.1e-5 where cross-entropy's is 1.0. A bad start stays bad.
    """

    formula = "L = sum_k (softmax(z)_k - y_k)^2"
    paper = "Golik, Doetsch and Ney 2013"
    pitfall = "Surely wrong rows have almost no gradient."
    target = "training.losses.MseSoftmax"
    task = "classification"
    squashes = "softmax"

    name: Literal["mse_softmax"] = "mse_softmax"


class MseOneHot(LossEntry):
    """Mean squared error between plain scores and the one-hot class: least squares for classes.

    No softmax, so no flat places; but scores that are right by too much are punished as well.
    """

    formula = "L = sum_k (z_k - y_k)^2"
    paper = "Hui and Belkin 2021"
    pitfall = "Its scores are no probabilities; metrics take their softmax."
    target = "training.losses.MseOneHot"
    task = "classification"

    name: Literal["mse_onehot"] = "mse_onehot"


class Focal(WeightedLossEntry):
    """Cross-entropy that counts rows less the better they are known, so that rare and hard ones weigh more."""

    formula = "L = -(1 - p)^gamma log p,  p the softmax of the right class"
    paper = "Lin et al. 2017"
    pitfall = "Mislabelled rows are the hard ones, and weigh most; its probabilities are too unsure."
    target = "training.losses.Focal"
    task = "classification"
    squashes = "softmax"

    name: Literal["focal"] = "focal"
    gamma: Annotated[float, Ge(0), Le(10)] = 2.0
    """How much less; at 0 it is cross-entropy."""


class Hinge(LossEntry):
    """Asks the right score to lead every other one by a margin, and no more than that."""

    formula = "L = sum_{k != y} max(0, margin - z_y + z_k) / K"
    paper = "Crammer and Singer 2001; Weston and Watkins 1999"
    pitfall = "Its scores are no probabilities; metrics take their softmax, which keeps their order and no more."
    target = "training.losses.Hinge"
    task = "classification"

    name: Literal["hinge"] = "hinge"
    margin: Annotated[float, Gt(0), Le(100)] = 1.0
    """By how much it shall lead."""


class Mse(LossEntry):
    """Mean squared error: the loss for numbers. Far outliers dominate it."""

    formula = "L = (z - y)^2"
    paper = "Gauss 1809"
    pitfall = "One target ten deviations away pulls as much as a hundred that are one away."
    target = "training.losses.Mse"
    task = "regression"

    name: Literal["mse"] = "mse"


class Mae(LossEntry):
    """Mean absolute error: what is learned is the median, and outliers count no more than their distance."""

    formula = "L = |z - y|"
    paper = "Laplace 1774"
    pitfall = "Its slope is as large near the target as far from it: without a falling learning rate it never settles."
    target = "training.losses.Mae"
    task = "regression"

    name: Literal["mae"] = "mae"


class Huber(LossEntry):
    """Squared near the target and straight far from it: smooth, and not led by outliers."""

    formula = "L = (z - y)^2 / 2 within delta, delta (|z - y| - delta / 2) beyond"
    paper = "Huber 1964"
    pitfall = "Depends on the target's scale: with raw numbers and the default delta it is little but mae."
    target = "training.losses.Huber"
    task = "regression"

    name: Literal["huber"] = "huber"
    delta: Annotated[float, Gt(0), Le(1e6)] = 1.0
    """Where it goes straight, in standard deviations of a standardised target."""


class SmoothL1(LossEntry):
    """Huber's loss divided by its delta, so that its far slope is always 1."""

    formula = "L = (z - y)^2 / (2 beta) within beta, |z - y| - beta / 2 beyond"
    paper = "Girshick 2015"
    pitfall = "Depends on the target's scale, as huber does."
    target = "training.losses.SmoothL1"
    task = "regression"

    name: Literal["smooth_l1"] = "smooth_l1"
    beta: Annotated[float, Gt(0), Le(1e6)] = 1.0
    """Where it goes straight."""


class LogCosh(LossEntry):
    """Squared near the target and straight far from it, without a seam."""

    formula = "L = log cosh(z - y)"
    paper = "Green 1990"
    pitfall = "Depends on the target's scale: far from it the slope is 1 whatever the units."
    target = "training.losses.LogCosh"
    task = "regression"

    name: Literal["log_cosh"] = "log_cosh"


class Quantile(LossEntry):
    """Learns a quantile instead of the mean: at 0.9, nine of ten targets shall lie below the prediction."""

    formula = "L = max(q (y - z), (q - 1) (y - z))"
    paper = "Koenker and Bassett 1978"
    pitfall = "Near 0 or 1 only few rows pull one way: it needs many rows and a small learning rate."
    target = "training.losses.Quantile"
    task = "regression"

    name: Literal["quantile"] = "quantile"
    q: Annotated[float, Gt(0), Lt(1)] = 0.5
    """Which quantile; 0.5 is the median."""


class Poisson(LossEntry):
    """For counts: the output is the logarithm of the rate, so that predictions are positive."""

    formula = "L = exp(z) - y z;  the prediction is exp(z)"
    paper = "Nelder and Wedderburn 1972"
    pitfall = "A large first output explodes in the exponential; keep the learning rate small or warm it up."
    target = "training.losses.Poisson"
    task = "regression"
    counts = True

    name: Literal["poisson"] = "poisson"


class GaussianNll(LossEntry):
    """Learns the mean and how uncertain it is: one output is the mean, another the logarithm of the variance."""

    formula = "L = (log s2 + (z - y)^2 / s2) / 2,  log s2 the second output"
    paper = "Nix and Weigend 1994"
    pitfall = (
        "Rows that are hard at first are called uncertain and then learned slowly; where the network meets the targets "
        "exactly, the variance goes to 0 and the loss to minus infinity."
    )
    target = "training.losses.GaussianNll"
    task = "regression"

    name: Literal["gaussian_nll"] = "gaussian_nll"

    def outputs(self, classes: int) -> int:
        return 2


Loss = Annotated[LossEntry, OneOf(LossEntry)]
