"""What is done to columns before the network sees them, fitted on the training rows only."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import model_validator

from api_schemas.base import Pair
from api_schemas.catalog.entry import Entry, OneOf


class PreprocessingEntry(Entry):
    """How numbers are rescaled."""

    kind = "preprocessing"


class NoPreprocessing(PreprocessingEntry):
    """Numbers as they are. Features of different scales stretch the error surface into a ravine."""

    formula = "x' = x"
    name: Literal["none"] = "none"


class Standard(PreprocessingEntry):
    """Mean 0 and standard deviation 1 for each column; a constant column becomes 0."""

    formula = "x' = (x - mean) / std"
    target = "training.data.scaling.Standard"
    name: Literal["standard"] = "standard"


class MinMax(PreprocessingEntry):
    """Each column onto a given range. One outlier squeezes all the rest."""

    formula = "x' = low + (high - low) (x - min) / (max - min)"
    target = "training.data.scaling.MinMax"
    name: Literal["minmax"] = "minmax"
    range: Pair = (0.0, 1.0)
    """Where the training rows' smallest and largest value go."""

    @model_validator(mode="after")
    def _range_rises(self) -> MinMax:
        if not self.range[0] < self.range[1]:
            raise ValueError("range must rise: [low, high] with low below high")
        return self


class EncodingEntry(Entry):
    """How categories become numbers."""

    kind = "encodings"


class OneHot(EncodingEntry):
    """A column of 0 and 1 for each category of the dataset; an unseen category is all 0."""

    formula = "x'_k = 1 if x = category k, else 0"
    name: Literal["onehot"] = "onehot"


Preprocessing = Annotated[PreprocessingEntry, OneOf(PreprocessingEntry)]
Encoding = Annotated[EncodingEntry, OneOf(EncodingEntry)]
