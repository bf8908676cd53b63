"""The normalizations inside a network."""

from __future__ import annotations

from typing import Annotated, Literal

from api_schemas.catalog.entry import OneOf
from api_schemas.catalog.normalization_entry import NormalizationEntry
from api_schemas.catalog.normalizations_batch import BatchNorm, BatchRenorm, GhostBatchNorm, SyncBatchNorm
from api_schemas.catalog.normalizations_row import DynamicTanh, GroupNorm, InstanceNorm, LayerNorm, RmsNorm
from api_schemas.catalog.normalizations_weight import SpectralNorm, WeightNorm, WeightStandardization


class NoNormalization(NormalizationEntry):
    """Leaves the layer's outputs as they are."""

    formula = "y = x"
    pitfall = "Deep networks need a careful initialization and a small learning rate without any."
    name: Literal["none"] = "none"


Normalization = Annotated[NormalizationEntry, OneOf(NormalizationEntry)]

__all__ = [
    "BatchNorm",
    "BatchRenorm",
    "DynamicTanh",
    "GhostBatchNorm",
    "GroupNorm",
    "InstanceNorm",
    "LayerNorm",
    "NoNormalization",
    "Normalization",
    "NormalizationEntry",
    "RmsNorm",
    "SpectralNorm",
    "SyncBatchNorm",
    "WeightNorm",
    "WeightStandardization",
]
