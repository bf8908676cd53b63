"""The losses."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Le, Lt

from api_schemas.catalog.entry import Entry, OneOf

Task = Literal["classification", "regression"]


class LossEntry(Entry):
    """What training makes small; its value is the mean over the rows of a batch."""

    kind = "losses"
    task: ClassVar[Task]
    """What kind of target it is for."""


class CrossEntropy(LossEntry):
    """Cross-entropy of the softmax of the network's outputs: the loss for classes.

    Its gradient is softmax(z) - y: the more wrong, the steeper. The network ends in plain scores; the softmax is in
    here.
    """

    formula = "L = -sum_k y_k log softmax(z)_k"
    paper = "Bridle 1990"
    target = "training.losses.CrossEntropy"
    task = "classification"

    name: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Share of the target that is spread over all classes."""


class MseSoftmax(LossEntry):
    """Mean squared error on softmax outputs, so that one can see why not.

    Where the network is surely wrong the softmax is flat and the gradient vanishes: for scores (10, -10, 0) and the
    wrong class its gradient is 9.1e-5 where cross-entropy's is 1.0. A bad start stays bad.
    """

    formula = "L = sum_k (softmax(z)_k - y_k)^2"
    paper = "Golik, Doetsch and Ney 2013"
    target = "training.losses.MseSoftmax"
    task = "classification"

    name: Literal["mse_softmax"] = "mse_softmax"


class MseOneHot(LossEntry):
    """Mean squared error between plain scores and the one-hot class: least squares for classes.

    No softmax, so no flat places; but scores that are right by too much are punished as well.
    """

    formula = "L = sum_k (z_k - y_k)^2"
    paper = "Hui and Belkin 2021"
    target = "training.losses.MseOneHot"
    task = "classification"

    name: Literal["mse_onehot"] = "mse_onehot"


class Focal(LossEntry):
    """Cross-entropy that counts rows less the better they are known, so that rare and hard ones weigh more."""

    formula = "L = -(1 - p)^gamma log p,  p the softmax of the right class"
    paper = "Lin et al. 2017"
    target = "training.losses.Focal"
    task = "classification"

    name: Literal["focal"] = "focal"
    gamma: Annotated[float, Ge(0), Le(10)] = 2.0
    """How much less; at 0 it is cross-entropy."""


class Hinge(LossEntry):
    """Asks the right score to lead every other one by a margin, and no more than that."""

    formula = "L = sum_{k != y} max(0, margin - z_y + z_k) / K"
    paper = "Crammer and Singer 2001; Weston and Watkins 1999"
    target = "training.losses.Hinge"
    task = "classification"

    name: Literal["hinge"] = "hinge"
    margin: Annotated[float, Gt(0), Le(100)] = 1.0
    """By how much it shall lead."""


class Mse(LossEntry):
    """Mean squared error: the loss for numbers. Far outliers dominate it."""

    formula = "L = (z - y)^2"
    paper = "Gauss 1809"
    target = "training.losses.Mse"
    task = "regression"

    name: Literal["mse"] = "mse"


class Mae(LossEntry):
    """Mean absolute error: what is learned is the median, and outliers count no more than their distance."""

    formula = "L = |z - y|"
    paper = "Laplace 1774"
    target = "training.losses.Mae"
    task = "regression"

    name: Literal["mae"] = "mae"


class Huber(LossEntry):
    """Squared near the target and straight far from it: smooth, and not led by outliers."""

    formula = "L = (z - y)^2 / 2 within delta, delta (|z - y| - delta / 2) beyond"
    paper = "Huber 1964"
    target = "training.losses.Huber"
    task = "regression"

    name: Literal["huber"] = "huber"
    delta: Annotated[float, Gt(0), Le(1e6)] = 1.0
    """Where it goes straight, in standard deviations of a standardised target."""


class SmoothL1(LossEntry):
    """Huber's loss divided by its delta, so that its far slope is always 1."""

    formula = "L = (z - y)^2 / (2 beta) within beta, |z - y| - beta / 2 beyond"
    paper = "Girshick 2015"
    target = "training.losses.SmoothL1"
    task = "regression"

    name: Literal["smooth_l1"] = "smooth_l1"
    beta: Annotated[float, Gt(0), Le(1e6)] = 1.0
    """Where it goes straight."""


class LogCosh(LossEntry):
    """Squared near the target and straight far from it, without a seam."""

    formula = "L = log cosh(z - y)"
    paper = "Green 1990"
    target = "training.losses.LogCosh"
    task = "regression"

    name: Literal["log_cosh"] = "log_cosh"


class Quantile(LossEntry):
    """Learns a quantile instead of the mean: at 0.9, nine of ten targets shall lie below the prediction."""

    formula = "L = max(q (y - z), (q - 1) (y - z))"
    paper = "Koenker and Bassett 1978"
    target = "training.losses.Quantile"
    task = "regression"

    name: Literal["quantile"] = "quantile"
    q: Annotated[float, Gt(0), Lt(1)] = 0.5
    """Which quantile; 0.5 is the median."""


Loss = Annotated[LossEntry, OneOf(LossEntry)]
