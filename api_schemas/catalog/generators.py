"""The generators that each show one thing: a boundary that bends, a rule that does, a valley, a picture, a memory."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Le, Lt

from api_schemas.catalog.datasets import GeneratorEntry
from api_schemas.catalog.layers import Array


class MakerEntry(GeneratorEntry):
    """A generator of scikit-learn."""

    renamed: ClassVar[dict[str, str]] = {"n": "n_samples", "seed": "random_state"}
    """What scikit-learn calls a knob that it calls otherwise."""

    def knobs(self) -> dict[str, Any]:
        return {self.renamed.get(key, key): value for key, value in super().knobs().items()}


class TwoCurves(MakerEntry):
    """Two curves in the plane, a class each; of an odd number of rows the second has one more."""

    task = "classification"
    features = 2
    classes = ("0", "1")

    @property
    def class_counts(self) -> tuple[int, ...]:
        return (self.n // 2, self.n - self.n // 2)


class Moons(TwoCurves):
    """Two half circles that reach into each other: a bent line parts them, a straight one gets about 88%."""

    formula = "(cos t, sin t) for 0, (1 - cos t, 1/2 - sin t) for 1, + noise e;  t evenly in 0 to pi, e standard normal"
    pitfall = "From a noise of 0.3 on the half circles overlap: what is missed then is no fault of the network."
    target = "sklearn.datasets.make_moons"
    name: Literal["moons"] = "moons"
    noise: Annotated[float, Ge(0), Le(10)] = 0.1
    """Standard deviation of what is added to each coordinate."""

    @property
    def scale_ratio(self) -> float:
        across = 1 / 2 + 1 / 4  # within a half circle, and between the two
        upwards = 1 / 2 - 4 / math.pi**2 + (2 / math.pi - 1 / 4) ** 2
        return math.sqrt((across + self.noise**2) / (upwards + self.noise**2))


class Circles(TwoCurves):
    """A circle within another: no straight line does better than guessing, three hidden units are enough."""

    formula = "(cos t, sin t) for 0, factor (cos t, sin t) for 1, + noise e;  t evenly in 0 to 2 pi, e standard normal"
    pitfall = "A noise that is large against the gap, 1 - factor, makes both circles one disc."
    target = "sklearn.datasets.make_circles"
    name: Literal["circles"] = "circles"
    noise: Annotated[float, Ge(0), Le(10)] = 0.05
    """Standard deviation of what is added to each coordinate."""
    factor: Annotated[float, Ge(0), Lt(1)] = 0.5
    """Radius of the inner circle; the outer one's is 1."""


class Blobs(MakerEntry):
    """Round clouds of points about centres that chance has placed: easy, unless two centres fell close together."""

    formula = "x = centre + cluster_std e;  centres uniform in -10 to 10, e standard normal"
    pitfall = "Another seed places the centres anew: an accuracy under one seed says nothing about another's."
    target = "sklearn.datasets.make_blobs"
    task = "classification"
    features = 2
    name: Literal["blobs"] = "blobs"
    centers: Annotated[int, Ge(2), Le(10)] = 3
    """How many clouds, a class each."""
    cluster_std: Annotated[float, Ge(0), Le(100)] = 1.0
    """Standard deviation of each cloud."""

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(str(place) for place in range(self.centers))


class Regression(MakerEntry):
    """A linear rule of some columns among others that say nothing, and noise: least squares has the answer."""

    formula = (
        "y = sum of w_k x_k over the informative columns + noise e;  x and e standard normal, w uniform in 0 to 100"
    )
    pitfall = "A network with hidden layers learns the noise of few rows by heart, and is then behind a linear model."
    target = "sklearn.datasets.make_regression"
    renamed = MakerEntry.renamed | {"columns": "n_features", "informative": "n_informative"}
    task = "regression"
    name: Literal["regression"] = "regression"
    columns: Annotated[int, Ge(1), Le(1000)] = 10
    """How many columns."""
    informative: Annotated[int, Ge(1), Le(1000)] = 5
    """How many of them the target depends on; all, where there are fewer."""
    noise: Annotated[float, Ge(0), Le(1000)] = 10.0
    """Standard deviation of the target's noise, in the target's own units."""

    @property
    def features(self) -> int:
        return self.columns


class Friedman(MakerEntry):
    """A rule with a product, a square and two plain terms, among columns that say nothing: more than a linear model."""

    formula = "y = 10 sin(pi x1 x2) + 20 (x3 - 1/2)^2 + 10 x4 + 5 x5 + noise e;  x uniform in 0 to 1, e standard normal"
    paper = "Friedman, Multivariate adaptive regression splines, 1991"
    pitfall = "A linear model reaches an R2 of 0.72: a network that stays there has not learned what bends."
    target = "sklearn.datasets.make_friedman1"
    renamed = MakerEntry.renamed | {"columns": "n_features"}
    task = "regression"
    name: Literal["friedman"] = "friedman"
    columns: Annotated[int, Ge(5), Le(1000)] = 10
    """How many columns; the target depends on the first five."""
    noise: Annotated[float, Ge(0), Le(100)] = 1.0
    """Standard deviation of the target's noise; the target's own is about 5."""

    @property
    def features(self) -> int:
        return self.columns


class LongValley(GeneratorEntry):
    """A linear rule of two columns that nearly agree: a long narrow valley that standardising does not remove.

    Both columns have the same scale, so the valley lies across the axes. Momentum shortens the way along its floor, a
    rate for each weight does not, and whitening removes the valley.
    """

    formula = "x = (u + v / sqrt(ratio), u - v / sqrt(ratio)),  y = u + v + noise e;  u, v and e standard normal"
    pitfall = "Half of the target is learned at once and the other half after about `ratio` steps: it is no plateau."
    target = "training.data.generators.long_valley"
    task = "regression"
    features = 2
    name: Literal["long_valley"] = "long_valley"
    ratio: Annotated[float, Ge(1), Le(1e6)] = 100.0
    """Largest curvature of the error over the smallest."""
    noise: Annotated[float, Ge(0), Le(10)] = 0.1
    """Standard deviation of the target's noise; the target's own is about 1.4."""


class Bars(GeneratorEntry):
    """Images of 8 x 8 pixels with one bar: is it a row or a column? Any pixel alone says nothing, its neighbours do."""

    formula = "x = [one whole row, or one whole column, of the image] + noise e,  e standard normal"
    paper = "after Foldiak, Forming sparse representations by local anti-Hebbian learning, 1990"
    pitfall = "A linear model stays at the level of guessing, however long it trains: both classes have the same mean."
    target = "training.data.generators.bars"
    task = "classification"
    features = 64
    array = (1, 8, 8)
    classes = ("row", "column")
    name: Literal["bars"] = "bars"
    noise: Annotated[float, Ge(0), Le(10)] = 0.2
    """Standard deviation of what is added to each pixel; a bar's are 1, the others 0."""


class Adding(GeneratorEntry):
    """The adding problem: two numbers of a sequence are marked, and the target is their sum.

    A row is a sequence of two features a step: a number, and 1 where it is marked. One mark lies in each half, so that
    a network has to remember over about half of the sequence.
    """

    formula = "y = x_i + x_j;  x uniform in 0 to 1, i in the first half and j in the second by chance"
    paper = "Hochreiter and Schmidhuber, Long short-term memory, 1997"
    pitfall = "A network that remembers nothing says 1 and has a mean squared error of 1/6: a plateau, and no progress."
    target = "training.data.generators.adding"
    task = "regression"
    name: Literal["adding"] = "adding"
    n: Annotated[int, Ge(10), Le(100_000)] = 1000
    """How many sequences."""
    length: Annotated[int, Ge(2), Le(500)] = 20
    """Steps of a sequence."""

    @property
    def features(self) -> int:
        return 2 * self.length

    @property
    def array(self) -> Array:
        return (self.length, 2)
