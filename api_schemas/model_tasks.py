"""What a worker is asked to do with a trained model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator

from api_schemas.base import Schema
from api_schemas.datasets import Format
from api_schemas.predictions import PredictionRequest

ExportFormat = Literal["onnx", "pt2"]
"""ONNX, or a program of `torch.export`."""
ModelFormat = Literal["safetensors", "zip", "onnx", "pt2"]
"""What a model is handed out as."""
TableFormat = Literal["csv", "jsonl"]
"""How predictions for a file are written."""
ModelTaskState = Literal["waiting", "done", "failed"]


class Export(Schema):
    """Write the model in another format."""

    kind: Literal["export"] = "export"
    format: ExportFormat


class PredictRows(Schema):
    """Predict rows that came in a request."""

    kind: Literal["rows"] = "rows"
    request: PredictionRequest


class PredictFile(Schema):
    """Predict the rows of a file."""

    kind: Literal["file"] = "file"
    sha256: str
    """Where the file is stored."""
    format: Format
    output: TableFormat


Asked = Annotated[Export | PredictRows | PredictFile, Discriminator("kind")]
