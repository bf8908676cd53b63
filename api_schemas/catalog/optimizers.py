"""The optimizers."""

from __future__ import annotations

from api_schemas.catalog.optimizer_entry import Optimizer, OptimizerEntry, PlainOptimizer, PlainOptimizerEntry
from api_schemas.catalog.optimizers_adam import Adam, Adamax, AdamW, NAdam, RAdam, SparseAdam
from api_schemas.catalog.optimizers_around import Lookahead, Sam
from api_schemas.catalog.optimizers_library import LibraryOptimizer
from api_schemas.catalog.optimizers_matrix import Adafactor, Lbfgs, Muon
from api_schemas.catalog.optimizers_torch import Adadelta, Adagrad, AdagradRms, Asgd, RmsProp, Rprop, Sgd

__all__ = [
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "AdagradRms",
    "Adam",
    "AdamW",
    "Adamax",
    "Asgd",
    "Lbfgs",
    "LibraryOptimizer",
    "Lookahead",
    "Muon",
    "NAdam",
    "Optimizer",
    "OptimizerEntry",
    "PlainOptimizer",
    "PlainOptimizerEntry",
    "RAdam",
    "RmsProp",
    "Rprop",
    "Sam",
    "Sgd",
    "SparseAdam",
]
