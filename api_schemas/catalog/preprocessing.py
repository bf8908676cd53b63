"""What is done to columns before the network sees them, fitted on the training rows only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Le
from pydantic import model_validator

from api_schemas.base import Pair
from api_schemas.catalog.call import Call
from api_schemas.catalog.entry import Entry, OneOf
from api_schemas.catalog.layers import Image


class PreprocessingEntry(Entry):
    """How numbers are rescaled."""

    kind = "preprocessing"
    fitted: ClassVar[str] = "training.data.scaling.Affine"
    """Dotted name of what the target returns: the fitted numbers as arrays, with `transform` and `inverse`."""
    invertible: ClassVar[bool] = True
    """Whether it goes back, one column at a time, which a target's has to."""
    needs_image: ClassVar[bool] = False
    """Whether it takes rows of pictures only."""

    def fit(self, values: Any, image: Image | None = None) -> Call:
        """The call that fits it.

        Args:
            values: training rows (rows, columns), or the name that they have.
            image: what the columns are pixels of, where they are.
        """
        return self.call(values)

    def restore(self, arrays: Mapping[str, Any]) -> Call:
        """The call that makes the fitted one again from its arrays by name."""
        return Call(self.fitted, (), dict(arrays))


class NoPreprocessing(PreprocessingEntry):
    """Numbers as they are."""

    formula = "x' = x"
    pitfall = "Features of different scales stretch the error surface into a ravine."
    name: Literal["none"] = "none"


class Standard(PreprocessingEntry):
    """Mean 0 and standard deviation 1 for each column; a constant column becomes 0."""

    formula = "x' = (x - mean) / std"
    pitfall = "A few far outliers widen the deviation, and all other rows lie close together."
    target = "training.data.scaling.standard"
    name: Literal["standard"] = "standard"


class MinMax(PreprocessingEntry):
    """Each column onto a given range."""

    formula = "x' = low + (high - low) (x - min) / (max - min)"
    pitfall = "One outlier squeezes all the rest; rows that come later may lie outside the range."
    target = "training.data.scaling.minmax"
    name: Literal["minmax"] = "minmax"
    range: Pair = (0.0, 1.0)
    """Where the training rows' smallest and largest value go."""

    @model_validator(mode="after")
    def _range_rises(self) -> MinMax:
        if not self.range[0] < self.range[1]:
            raise ValueError("range must rise: [low, high] with low below high")
        return self


class MaxAbs(PreprocessingEntry):
    """Each column divided by its largest size, so that zeros stay zeros: for counts and sparse columns."""

    formula = "x' = x / max |x|"
    pitfall = "One outlier squeezes all the rest, and the mean stays where it is."
    target = "training.data.scaling.maxabs"
    name: Literal["maxabs"] = "maxabs"


class Robust(PreprocessingEntry):
    """Median 0 for each column, and the distance between two of its quantiles 1: outliers do not set the scale."""

    formula = "x' = (x - median) / (q_high - q_low)"
    pitfall = (
        "The outliers themselves stay as far out as they were. Where most values of a column are equal, so are its "
        "quantiles, and the column is only moved."
    )
    target = "training.data.scaling.robust"
    name: Literal["robust"] = "robust"
    quantile_range: Pair = (25.0, 75.0)
    """The quantiles whose distance becomes 1, in percent."""
    unit_variance: bool = False
    """Scale on, so that a column of normally distributed numbers has variance 1."""

    @model_validator(mode="after")
    def _quantiles_rise(self) -> Robust:
        low, high = self.quantile_range
        if not 0 <= low < high <= 100 or (self.unit_variance and (low == 0 or high == 100)):
            raise ValueError(
                "quantile_range must rise within 0 to 100, and with unit_variance lie inside: 0 and 100 percent of "
                "normally distributed numbers are infinitely far apart"
            )
        return self


class Quantile(PreprocessingEntry):
    """Each column by its rank among the training rows: whatever its distribution, it comes out uniform or normal."""

    formula = "x' = F(x) for uniform, Phi^-1(F(x)) for normal;  F the share of training rows below x"
    pitfall = (
        "Distances are lost, and what lies outside the training rows' range is cut off at its ends: a target scaled "
        "by it is never predicted beyond the largest that was seen."
    )
    target = "training.data.scaling.quantile"
    fitted = "training.data.scaling.Quantiles"
    name: Literal["quantile"] = "quantile"
    n_quantiles: Annotated[int, Ge(2), Le(10_000)] = 1000
    """How finely the distribution is kept; at most one for each training row."""
    output: Literal["uniform", "normal"] = "uniform"
    """Which distribution comes out: uniform on 0 to 1, or normal, cut off at 5.2 deviations."""

    def restore(self, arrays: Mapping[str, Any]) -> Call:
        return Call(self.fitted, (), {**arrays, "output": self.output})


class Power(PreprocessingEntry):
    """A power of each column that makes it as normal as can be, then mean 0 and deviation 1: for long tails."""

    formula = (
        "box-cox: (x^a - 1) / a, log x at a = 0;  yeo-johnson: box-cox of x + 1 where x >= 0, minus box-cox of 1 - x "
        "with 2 - a where x < 0;  a by maximum likelihood"
    )
    paper = "Box and Cox 1964; Yeo and Johnson 2000"
    pitfall = (
        "Two heaps of values stay two heaps. A row far outside the training rows' range may come out very far off; for "
        "a target, a prediction that no number is transformed to has no value, and metrics are then not a number."
    )
    target = "training.data.scaling.power"
    fitted = "training.data.scaling.Power"
    name: Literal["power"] = "power"
    method: Literal["yeo-johnson", "box-cox"] = "yeo-johnson"
    """Which family of powers; box-cox takes numbers above 0 only."""

    def restore(self, arrays: Mapping[str, Any]) -> Call:
        return Call(self.fitted, (), {**arrays, "method": self.method})


class Whiten(PreprocessingEntry):
    """All columns of numbers together, turned onto their principal axes and scaled: no two are correlated any more."""

    formula = "x' = (x - mean) V S^-1;  the training rows' covariance is V S^2 V^T"
    paper = "Hotelling 1933; LeCun et al. 1998"
    pitfall = (
        "Inputs are no longer the columns, and directions in which the rows hardly vary, mostly noise, become as large "
        "as the others. Columns that follow from others, and constant ones, leave inputs that are always 0."
    )
    target = "training.data.scaling.whiten"
    fitted = "training.data.scaling.Whitening"
    invertible = False
    name: Literal["whiten"] = "whiten"


class ChannelStandard(PreprocessingEntry):
    """Mean 0 and standard deviation 1 for each channel of pictures, the same for all its pixels."""

    formula = "x' = (x - mean_channel) / std_channel"
    paper = "Krizhevsky, Sutskever and Hinton 2012"
    pitfall = "Pixels that are alike in all pictures, such as a dark border, stay as they are: large and of no use."
    target = "training.data.scaling.channel_standard"
    invertible = False
    needs_image = True
    name: Literal["channel_standard"] = "channel_standard"

    def fit(self, values: Any, image: Image | None = None) -> Call:
        if image is None:
            raise ValueError("channels are a thing of pictures; make_plan refuses other rows")
        return self.call(values, channels=image[0])


class EncodingEntry(Entry):
    """How categories become numbers."""

    kind = "encodings"

    def inputs(self, categories: int) -> int:
        """How many inputs a column of so many categories becomes."""
        return 1


class OneHot(EncodingEntry):
    """A column of 0 and 1 for each category of the dataset; an unseen category is all 0."""

    formula = "x'_k = 1 if x = category k, else 0"
    pitfall = (
        "A column with many categories becomes as many columns, most of them almost always 0; what was not seen looks"
        " alike, whatever it is."
    )
    name: Literal["onehot"] = "onehot"

    def inputs(self, categories: int) -> int:
        return categories


class Embedding(EncodingEntry):
    """Learned numbers for each category, which the network's first layer looks up; an unseen category is all 0."""

    formula = "x' = E_k for category k;  E (categories, width) is learned"
    paper = "Guo and Berkhahn 2016"
    pitfall = "A category with few rows keeps nearly the numbers that chance gave it, and the rest of the row drowns."
    name: Literal["embedding"] = "embedding"
    width: Annotated[int, Ge(1), Le(1024)] | None = None
    """How many numbers stand for a category; by default half as many as there are categories, at most 50."""


class Ordinal(EncodingEntry):
    """The place of each category among the sorted ones, as one number that is rescaled as others are.

    Whole numbers are sorted by size and words by the alphabet; an unseen category comes behind the last.
    """

    formula = "x' = k for category k, counted from 0"
    pitfall = "The network takes order and distance for real: colours sorted by the alphabet have neither."
    name: Literal["ordinal"] = "ordinal"


Preprocessing = Annotated[PreprocessingEntry, OneOf(PreprocessingEntry)]
Encoding = Annotated[EncodingEntry, OneOf(EncodingEntry)]
