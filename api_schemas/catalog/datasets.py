"""The datasets that a job can name without an upload: those that ship with scikit-learn, and generators."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Le
from pydantic import Field, ValidationInfo, field_validator

from api_schemas.catalog.entry import Entry
from api_schemas.catalog.layers import Array
from api_schemas.catalog.losses import Task
from api_schemas.catalog.tokenizers import Text

Rows = Annotated[int, Ge(10), Le(1_000_000)]
Seed = Annotated[int, Ge(0), Le(2**32 - 1)]


class NamedDatasetEntry(Entry):
    """A table that the trainer makes by itself, the same one every time."""

    kind = "datasets"
    task: ClassVar[Task]
    """Whether its target is a class or a number."""
    features: ClassVar[int]
    """How many columns it has beside the target."""
    classes: ClassVar[tuple[str, ...]] = ()
    """The names of its classes."""
    array: ClassVar[Array | None] = None
    """The axes of a row that is an array, such as (channels, height, width); they lie flat in that order."""

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return sum(self.class_counts)

    @property
    def class_counts(self) -> tuple[int, ...]:
        """Rows of each class; for regression one number, all rows."""
        raise NotImplementedError

    @property
    def scale_ratio(self) -> float:
        """Largest standard deviation of a feature over the smallest; 1 where all are of one unit, as pixels are."""
        return 1.0

    @property
    def text(self) -> Text | None:
        """What is known of it before it is read, where it is a text."""
        return None


class BundledEntry(NamedDatasetEntry):
    """A dataset that ships with scikit-learn."""

    counts: ClassVar[tuple[int, ...]]
    """Rows of each class."""
    spread: ClassVar[float] = 1.0
    """Its `scale_ratio`, as measured."""

    @property
    def class_counts(self) -> tuple[int, ...]:
        return self.counts

    @property
    def scale_ratio(self) -> float:
        return self.spread


class Digits(BundledEntry):
    """1,797 handwritten digits of 8 x 8 pixels, ten classes. A good network gets 97% and more."""

    paper = "Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI 1998"
    pitfall = "The same writers are in every split, so a score says little about the hand of a stranger."
    target = "sklearn.datasets.load_digits"
    task = "classification"
    features = 64
    array = (1, 8, 8)
    classes = tuple("0123456789")
    counts = (178, 182, 177, 183, 181, 182, 181, 179, 174, 180)
    name: Literal["digits"] = "digits"


class Iris(BundledEntry):
    """150 irises of three species, four lengths each."""

    paper = "Fisher 1936"
    pitfall = "Its validation rows are few: one more wrong is several percent."
    target = "sklearn.datasets.load_iris"
    task = "classification"
    features = 4
    classes = ("setosa", "versicolor", "virginica")
    counts = (50, 50, 50)
    spread = 4.05
    name: Literal["iris"] = "iris"


class Wine(BundledEntry):
    """178 wines of three growers, 13 chemical quantities whose scales differ a thousandfold."""

    paper = "Aeberhard and Forina, Wine, UCI 1991"
    pitfall = "Not standardised, one column rules the gradient; standardised, it is soon solved to the last row."
    target = "sklearn.datasets.load_wine"
    task = "classification"
    features = 13
    classes = ("class_0", "class_1", "class_2")
    counts = (59, 71, 48)
    spread = 2530
    name: Literal["wine"] = "wine"


class BreastCancer(BundledEntry):
    """569 biopsies, 30 measurements, malignant or benign."""

    paper = "Wolberg et al., Breast Cancer Wisconsin (Diagnostic), UCI 1995"
    pitfall = "Accuracy hides the costly mistake: look at what is missed of the malignant ones, class 0."
    target = "sklearn.datasets.load_breast_cancer"
    task = "classification"
    features = 30
    classes = ("malignant", "benign")
    counts = (212, 357)
    spread = 215_171
    name: Literal["breast_cancer"] = "breast_cancer"


class Diabetes(BundledEntry):
    """442 patients, ten measurements, the disease's progress after a year. Least squares reaches R2 0.5177."""

    paper = "Efron et al. 2004"
    pitfall = "Mostly noise: more weights than a linear model has fit the training rows, and nothing else."
    target = "sklearn.datasets.load_diabetes"
    task = "regression"
    features = 10
    counts = (442,)
    name: Literal["diabetes"] = "diabetes"


class GeneratorEntry(NamedDatasetEntry):
    """A dataset that is computed from a few knobs and a seed."""

    kind = "generators"

    n: Rows = 1000
    """How many rows."""
    seed: Seed = 0
    """The same seed makes the same rows."""

    @property
    def class_counts(self) -> tuple[int, ...]:
        if self.task == "regression":
            return (self.n,)
        share, rest = divmod(self.n, len(self.classes))
        return tuple(share + (label < rest) for label in range(len(self.classes)))


class Spirals(GeneratorEntry):
    """Two spirals wound into each other: no straight line parts them, a small network does."""

    paper = "Lang and Witbrock 1988"
    formula = "x = r (cos a, sin a) + noise e,  a = 2 pi turns r + pi class,  r^2 uniform in 0.01 to 1"
    pitfall = "Too few units or too much noise, and it stays at the level of guessing for long: a plateau, no failure."
    target = "training.data.generators.spirals"
    task = "classification"
    features = 2
    classes = ("0", "1")
    name: Literal["spirals"] = "spirals"
    turns: Annotated[float, Ge(0.25), Le(5)] = 1.5
    """How often each spiral goes round."""
    noise: Annotated[float, Ge(0), Le(1)] = 0.02
    """Standard deviation of what is added to each coordinate."""


class BadlyScaled(GeneratorEntry):
    """A linear rule with noise whose features' scales differ as told: the long valley that standardising removes."""

    formula = "y = (z1 - z2 + z3 - z4) / 2 + noise e,  x_k = ratio^((k - 1) / 3) z_k,  z and e standard normal"
    pitfall = "Not standardised, a rate that the steep direction bears leaves the flat one where it was."
    target = "training.data.generators.badly_scaled"
    task = "regression"
    features = 4
    name: Literal["badly_scaled"] = "badly_scaled"
    ratio: Annotated[float, Ge(1), Le(1e6)] = 1e4
    """Largest standard deviation of a feature over the smallest."""
    noise: Annotated[float, Ge(0), Le(10)] = 0.1
    """Standard deviation of the target's noise; the target's own is about 1."""

    @property
    def scale_ratio(self) -> float:
        return self.ratio


class RareEvent(GeneratorEntry):
    """Two clouds of points, of which one has a few rows only: to say "common" is nearly always right.

    Accuracy hides what is missed; macro F1, class weights and focal loss are made for it. In small batches the
    gradient is almost nothing for long and then large, which is where `adagrad_rms` bursts.
    """

    formula = "x = z + [rare] apart (0.6, 0.8),  z standard normal"
    pitfall = "A network that has learned nothing has an accuracy near 1."
    target = "training.data.generators.rare_event"
    task = "classification"
    features = 2
    classes = ("common", "rare")
    name: Literal["rare_event"] = "rare_event"
    rare: Annotated[int, Ge(1), Le(500_000)] = Field(default=20, validate_default=True)
    """How many rows are of the rare class, at most half of all."""
    apart: Annotated[float, Ge(0), Le(100)] = 3.0
    """Distance between the centres of the clouds, in their standard deviations."""

    @field_validator("rare")
    @classmethod
    def _is_rare(cls, rare: int, known: ValidationInfo) -> int:
        n = known.data.get("n")  # None where it is wrong itself
        if n is not None and rare > n // 2:
            raise ValueError(f"{rare} rows of {n} are no rare class; set rare to at most {n // 2}")
        return rare

    @property
    def class_counts(self) -> tuple[int, ...]:
        return (self.n - self.rare, self.rare)
