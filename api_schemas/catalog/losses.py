"""The losses."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Lt

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


class Mse(LossEntry):
    """Mean squared error: the loss for numbers. Far outliers dominate it."""

    formula = "L = (z - y)^2"
    paper = "Gauss 1809"
    target = "training.losses.Mse"
    task = "regression"

    name: Literal["mse"] = "mse"


Loss = Annotated[LossEntry, OneOf(LossEntry)]
