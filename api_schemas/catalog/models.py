"""The models."""

from __future__ import annotations

from typing import Annotated

from api_schemas.catalog.entry import OneOf
from api_schemas.catalog.model_entry import DeepEntry, ModelEntry
from api_schemas.catalog.models_attention import Transformer, Vit
from api_schemas.catalog.models_autoencoder import Autoencoder
from api_schemas.catalog.models_image import Cnn, Resnet
from api_schemas.catalog.models_language import Gpt
from api_schemas.catalog.models_layers import Layers
from api_schemas.catalog.models_plain import LinearModel, Mlp
from api_schemas.catalog.models_sequence import Gru, Lstm, Rnn, Tcn
from api_schemas.catalog.models_table import FtTransformer, TabM

Model = Annotated[ModelEntry, OneOf(ModelEntry)]

__all__ = [
    "Autoencoder",
    "Cnn",
    "DeepEntry",
    "FtTransformer",
    "Gpt",
    "Gru",
    "Layers",
    "LinearModel",
    "Lstm",
    "Mlp",
    "Model",
    "ModelEntry",
    "Resnet",
    "Rnn",
    "TabM",
    "Tcn",
    "Transformer",
    "Vit",
]
