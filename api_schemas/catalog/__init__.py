"""Everything that a job can name, kind by kind."""

from __future__ import annotations

from api_schemas.catalog.activations import ActivationEntry
from api_schemas.catalog.averaging import AveragingEntry
from api_schemas.catalog.datasets import BundledEntry, GeneratorEntry
from api_schemas.catalog.datasets_text import MarkovText, PythonReference
from api_schemas.catalog.entry import CatalogEntry, Entry, Kind
from api_schemas.catalog.generators import MakerEntry
from api_schemas.catalog.initializations import InitializationEntry
from api_schemas.catalog.layer_entry import LayerEntry
from api_schemas.catalog.losses import LossEntry
from api_schemas.catalog.metrics import MetricEntry
from api_schemas.catalog.models import ModelEntry
from api_schemas.catalog.normalizations import NormalizationEntry
from api_schemas.catalog.optimizers import OptimizerEntry
from api_schemas.catalog.preprocessing import EncodingEntry, PreprocessingEntry
from api_schemas.catalog.schedules import ScheduleEntry
from api_schemas.catalog.tokenizers import TokenizerEntry

FAMILIES: dict[Kind, type[Entry]] = {
    family.kind: family
    for family in (
        OptimizerEntry,
        ScheduleEntry,
        NormalizationEntry,
        PreprocessingEntry,
        EncodingEntry,
        TokenizerEntry,
        LossEntry,
        MetricEntry,
        AveragingEntry,
        ModelEntry,
        LayerEntry,
        ActivationEntry,
        InitializationEntry,
        BundledEntry,
        GeneratorEntry,
    )
}
"""Each kind and the class whose named subclasses are its entries."""

__all__ = ["FAMILIES", "CatalogEntry", "Entry", "Kind", "MakerEntry", "MarkovText", "PythonReference"]
